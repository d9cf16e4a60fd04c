"""Why something cannot be taken in as a model: a code for programs, a sentence for people."""

from django.utils.translation import gettext_lazy as _

from fabriek.kernel.errors import Invalid, Text
from fabriek.kernel.words import kept
from fabriek.store.paths import shortened

SENTENCES: dict[str, Text] = {
    "no_model": _(
        "There is no whole model here: “%(name)s” is missing. Save it in Hugging Face format, "
        "with config.json and its weights as safetensors."
    ),
    "no_plain_file": _(
        "“%(name)s” is not a plain file, so the model was not taken in. "
        "Put the file itself there, not a link to it."
    ),
    "unreadable_file": _(
        "The factory may not read “%(name)s”, so the model was not taken in. "
        "Let the program make its files readable for its group."
    ),
    "pickle": _(
        "“%(name)s” is in a format that can run code when it is opened, so the model was not "
        "taken in. Save the weights as safetensors."
    ),
    "archive": _(
        "“%(name)s” is an archive, in which there may be what runs code when it is opened, so "
        "the model was not taken in. Save the weights as safetensors, and other files unpacked."
    ),
    "unknown_file": _(
        "“%(name)s” is not a kind of file a model consists of, so the model was not taken in. "
        "Take the file away."
    ),
    "broken_file": _(
        "“%(name)s” is broken or not complete, so the model was not taken in. Save it again."
    ),
    "hollow_file": _(
        "“%(name)s” consists mostly of holes: it says to be far larger than what is in it. So "
        "the model was not taken in. Save it again."
    ),
    "too_large": _(
        "The files here are larger than %(name)s together, the most the factory takes from one "
        "run, so the model was not taken in. Leave only the files of the model, or ask the "
        "factory's staff for more room."
    ),
    "too_many_files": _(
        "There are far more files here than a model has, so it was not taken in. "
        "Leave only the files of the model."
    ),
}


class NoModel(Invalid):
    """What was found cannot be taken in; `name` is the file that stands in the way."""

    def __init__(self, code: str, name: str = "") -> None:
        self.name = shortened(name)
        super().__init__(said(code, self.name), code=code)


@kept
def said(code: str, name: str) -> str:
    """Say it in the reader's language; nothing for a code that is not of this list."""
    template = SENTENCES.get(code)
    return str(template) % {"name": name} if template else ""
