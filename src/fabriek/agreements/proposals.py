"""What somebody proposes to agree on, before it is a row: with its text, ready to be read."""

from dataclasses import dataclass
from datetime import date, datetime, time, timedelta

from django.utils import timezone
from django.utils.translation import get_language
from django.utils.translation import gettext as _

from fabriek.agreements import refusals, terms, wording
from fabriek.agreements.models import Agreement
from fabriek.agreements.terms import Terms
from fabriek.agreements.wording import Subject
from fabriek.cases.models import Case
from fabriek.kernel.errors import Invalid
from fabriek.people.models import Organisation
from fabriek.store.models import Repository

LAST_DAY = date(9990, 12, 31)  # computers count no further than 9999, in any time zone


@dataclass(frozen=True, kw_only=True, slots=True)
class Proposal:
    """`named`: the only organisations of the case's consortium that may use the data.

    `with_leader`: beside them also who leads the case, as it asks for the runs.
    `replaces`: what this takes the place of: what waits as soon as somebody who may end that
    makes or signs this, an agreement in force as soon as this one is too.
    """

    repository: Repository
    case: Case
    terms: Terms
    named: tuple[Organisation, ...] = ()
    with_leader: bool = True
    replaces: Agreement | None = None
    language: str = ""

    @property
    def subject(self) -> Subject:
        return Subject.of(self.repository, self.case, self.named, with_leader=self.with_leader)

    @property
    def in_language(self) -> str:
        """Take the language of whoever proposes; the other side signs that very text."""
        return (self.language or get_language() or "")[:2]

    def text(self) -> str:
        return wording.written(self.subject, self.terms, language=self.in_language)

    def text_to_help(self) -> str:
        """Write it in the other language, for whoever signs and does not read the first."""
        return wording.written(
            self.subject, self.terms, language=wording.other(self.in_language)
        )


def check_circle(proposal: Proposal) -> None:
    """Refuse to leave out who leads the case where that leaves nobody, or is unsaid again.

    Raises: Invalid.
    """
    if proposal.with_leader:
        return
    if not proposal.named:
        raise refusals.nobody_named()
    if proposal.case.organisation in proposal.named:
        raise refusals.leader_is_named(proposal.case.organisation)


def translation(agreement: Agreement, language: str) -> str:
    """Give the text in another language, to help reading; empty when it might not be the same.

    It was written with the text itself. One of before that was kept is written anew from the
    rows, so first it is tried whether these still give, word for word, what was signed.
    """
    if language not in wording.LANGUAGES or agreement.language == language:
        return ""
    if agreement.translation:
        return agreement.translation
    version = agreement.text_version
    if not wording.has(version):
        return ""
    named = tuple(agreement.organisations.all())
    subject = Subject.of(
        agreement.repository, agreement.case, named, with_leader=agreement.with_leader
    )
    agreed = terms.of(agreement)
    signed = wording.written(subject, agreed, language=agreement.language, version=version)
    if signed != agreement.text:
        return ""
    return wording.written(subject, agreed, language=language, version=version)


def start_of(day: date) -> datetime:
    return timezone.make_aware(datetime.combine(day, time.min))


def end_of(day: date) -> datetime:
    """Give the moment after this day.

    Raises:
        Invalid: no calendar of ours goes on until then.
    """
    if day > LAST_DAY:
        sentence = _("An agreement lasts ten years at most. Choose an earlier last day.")
        raise Invalid(sentence, fields={"ends_on": sentence})
    return start_of(day + timedelta(days=1))
