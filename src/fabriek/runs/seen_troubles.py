"""Why rows could not be turned into tokens, told in the reader's language."""

from django.utils.translation import gettext as _
from django.utils.translation import gettext_lazy

from fabriek.kernel.errors import Text
from fabriek.runs.look import Looked
from fabriek.runs.seen_places import file_of

TROUBLES: dict[str, Text] = {
    "no_tokenizer": gettext_lazy(
        "The base model has no tokenizer.json, so its tokens cannot be shown before the run."
    ),
    "bad_tokenizer": gettext_lazy(
        "The tokenizer.json of the base model cannot be read. Fetch the model again, or choose "
        "another."
    ),
    "bad_settings": gettext_lazy(
        "The settings of the base model's tokenizer cannot be read. Fetch the model again, or "
        "choose another."
    ),
    "no_end": gettext_lazy(
        "The tokenizer of the base model has no sign for the end of a text. Choose another "
        "model."
    ),
    "bad_template": gettext_lazy(
        "The chat template of the base model is no template. Mend it, or choose another model."
    ),
    "template_fails": gettext_lazy(
        "The chat template of the base model cannot render this row. Mend the row or the "
        "template, or choose another model."
    ),
    "only_last": gettext_lazy(
        "The chat template of the base model changes earlier answers once a later one follows. "
        "Choose to learn from the last answer only."
    ),
    "template_too_long": gettext_lazy(
        "The chat template of the base model makes more text of a row than any model reads. "
        "Choose another model."
    ),
    "too_slow": gettext_lazy(
        "It took too long, so it was stopped: the chat template or the tokenizer of the base "
        "model may not end. Try once more; if it happens again, choose another model."
    ),
    "too_much_memory": gettext_lazy(
        "It took more memory than is given to it, so it was stopped: the chat template or the "
        "tokenizer of the base model asks too much. Choose another model."
    ),
    "no_walls": gettext_lazy(
        "This machine cannot shut the program in that would read these files, so that it does "
        "not read them."
    ),
}
DIED = gettext_lazy(
    "The program that reads these files ended without a word, or took too much memory. Try "
    "once more; if it happens again, choose another model."
)


def trouble(looked: Looked) -> str:
    said = str(TROUBLES.get(looked.trouble, DIED))
    if line := looked.facts.get("line"):
        place = {"line": line, "file": file_of(looked, looked.facts.get("file"))}
        said = f"{_('Line %(line)s of %(file)s:') % place} {said}"
    if why := looked.facts.get("why"):
        said = f"{said} ({why})"
    return said
