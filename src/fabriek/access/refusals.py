"""The refusal that two people typing in one section get: it holds both texts."""

from collections.abc import Mapping

from django.utils.translation import gettext as _

from fabriek.access.definitions import FormRules
from fabriek.access.models import Answers
from fabriek.kernel import words
from fabriek.kernel.errors import Refused


class Stale(Refused):
    """Somebody saved the section since it was read; `fields` shows both texts per question."""

    code = "stale"

    def __init__(self, kept: Answers, typed: Mapping[str, str], form: FormRules) -> None:
        section = form.section(kept.section)
        labels = {q.key: str(q.label) for q in section.fields} if section else {}
        fields = {
            labels.get(key, key): _("Saved is: “%(theirs)s”. You typed: “%(mine)s”.")
            % {"theirs": kept.values.get(key, ""), "mine": mine}
            for key, mine in typed.items()
            if kept.values.get(key, "") != mine
        }
        super().__init__(overtaken_by(kept), fields=fields)
        self.kept = kept


def overtaken_by(kept: Answers) -> str:
    return _(
        "%(person)s saved this section at %(at)s, while you were typing. Your text was not "
        "saved over theirs. Compare the two, and save what you want to keep."
    ) % {"person": kept.saved_by, "at": words.moment(kept.saved_at)}
