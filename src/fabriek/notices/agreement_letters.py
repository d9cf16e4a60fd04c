"""Letters about agreements on data. What the parties wrote to each other is in none of them."""

from collections.abc import Callable, Iterable

from django.utils.translation import gettext as _

from fabriek.agreements import made, queries, rules
from fabriek.agreements.models import Agreement
from fabriek.agreements.states import WAITING
from fabriek.kernel.models import Entry
from fabriek.notices.envelope import Letter, address, addresses, leads
from fabriek.people.models import Organisation


def _asked(entry: Entry) -> Letter:
    """To the owner, and to those who lead the case when a member asked in its name."""
    agreement = _agreement(entry)
    return _letter(
        agreement,
        to=leads(*_ids(rules.unsigned_of(agreement))),
        subject=_("%(user)s asks for your data"),
        text=_(
            "%(user)s asks to use the dataset “%(title)s”, which %(owner)s owns. Read the "
            "text, and sign it, ask something or refuse here:\n%(url)s"
        ),
    )


def _offered(entry: Entry) -> Letter:
    agreement = _agreement(entry)
    return _letter(
        agreement,
        to=leads(*_ids(rules.unsigned_of(agreement))),
        subject=_("%(owner)s offers you data"),
        text=_(
            "%(owner)s offers you the dataset “%(title)s” for case %(case)s. Read the text, "
            "and sign it, ask something or refuse here:\n%(url)s"
        ),
    )


def _signed(entry: Entry) -> Letter | None:
    """Only while others have yet to sign: after the last one they hear that it is in force."""
    agreement = _agreement(entry)
    if agreement.state not in WAITING or entry.by_id == agreement.begun_by_id:
        return None
    return _letter(
        agreement,
        to=leads(*_ids(rules.parties_of(agreement))),
        subject=_("One more party signed %(code)s"),
        text=_(
            "One more party signed the agreement on the dataset “%(title)s”. See who has yet "
            "to sign:\n%(url)s"
        ),
    )


def _in_force(entry: Entry) -> Letter:
    agreement = _agreement(entry)
    return _letter(
        agreement,
        to=_all_sides(agreement),
        subject=_("Agreement %(code)s is in force"),
        text=_(
            "All parties have signed: case %(case)s may use the dataset “%(title)s” of "
            "%(owner)s. See for what, where and until when:\n%(url)s"
        ),
    )


def _refused(entry: Entry) -> Letter:
    agreement = _agreement(entry)
    return _letter(
        agreement,
        to=_all_sides(agreement),
        subject=_("Agreement %(code)s was refused"),
        text=_(
            "The agreement on the dataset “%(title)s” was refused. Read why, and what you can "
            "do now:\n%(url)s"
        ),
    )


def _withdrawn(entry: Entry) -> Letter:
    agreement = _agreement(entry)
    return _taken_back(agreement, to=leads(*_ids(rules.parties_of(agreement))))


def _taken_back(agreement: Agreement, *, to: Iterable[str]) -> Letter:
    return _letter(
        agreement,
        to=to,
        subject=_("%(code)s was taken back"),
        text=_("What was proposed about the dataset “%(title)s” was taken back:\n%(url)s"),
    )


def _revoked(entry: Entry) -> Letter:
    agreement = _agreement(entry)
    text = _(
        "%(owner)s revoked the agreement on the dataset “%(title)s”. Nobody may use the data "
        "under it any more, and runs that work on it are stopped. Read why:\n%(url)s"
    )
    if open_ := ", ".join(one.code or "" for one in made.open_models(agreement)):
        text += "\n\n" + _(
            "Models of it that are open to everybody stay open, as the agreement allowed that, "
            "and copies that others fetched cannot be called back: %(models)s."
        ) % {"models": open_}
    return _letter(
        agreement,
        to=_all_sides(agreement),
        subject=_("Agreement %(code)s was revoked"),
        text=text,
    )


def _message(entry: Entry) -> Letter:
    agreement = _agreement(entry)
    writer = entry.by.email if entry.by else ""
    return _letter(
        agreement,
        to=(each for each in _all_sides(agreement) if each != writer),
        subject=_("There is a message about %(code)s"),
        text=_(
            "Somebody wrote a message about the dataset “%(title)s”. Read it and answer "
            "here:\n%(url)s"
        ),
    )


def _replaced(entry: Entry) -> Letter | None:
    """To who is left out of the text that took its place; the others hear of that one."""
    agreement = _agreement(entry)
    newer = Agreement.objects.filter(thread_code=agreement.thread).order_by("-pk").first()
    stay = set(_for_whom(newer)) if newer else set()
    left_out = [pk for pk in _for_whom(agreement) if pk not in stay]
    if not left_out:
        return None
    if agreement.in_force_at is None:
        return _taken_back(agreement, to=leads(*left_out))
    return _letter(
        agreement,
        to=leads(*left_out),
        subject=_("Agreement %(code)s is over for you"),
        text=_(
            "%(owner)s put another text in the place of this agreement on the dataset "
            "“%(title)s”, and your organisation is no party to that one. It may not use the "
            "data under this agreement any more, and its runs on it are stopped:\n%(url)s"
        ),
    )


WRITERS: dict[str, Callable[[Entry], Letter | None]] = {
    "agreements.ask": _asked,
    "agreements.offer": _offered,
    "agreements.sign": _signed,
    "agreements.conclude": _in_force,
    "agreements.refuse": _refused,
    "agreements.withdraw": _withdrawn,
    "agreements.revoke": _revoked,
    "agreements.replace": _replaced,
    "agreements.say": _message,
}


def _letter(agreement: Agreement, *, to: Iterable[str], subject: str, text: str) -> Letter:
    names = {
        "code": agreement.code,
        "title": agreement.repository.title,
        "owner": agreement.repository.organisation,
        "user": _users(agreement),
        "case": agreement.case.code,
        "url": address(agreement.get_absolute_url()),
    }
    return Letter(to=addresses(to), subject=subject % names, text=text % names)


def _agreement(entry: Entry) -> Agreement:
    rows = Agreement.objects.select_related(
        "repository__organisation", "case__organisation", "begun_by"
    )
    return rows.get(pk=entry.subject_id)


def _all_sides(agreement: Agreement) -> tuple[str, ...]:
    """Give the leads of all parties, and who began it, if they are still of one."""
    began = agreement.begun_by
    theirs = (began.email,) if rules.is_party(began, agreement) else ()
    return (*leads(*_ids(rules.parties_of(agreement))), *theirs)


def _for_whom(agreement: Agreement) -> list[int]:
    """Give its owner, and all who may use the data: where nobody is named, all members."""
    if agreement.organisations.all():
        return _ids(rules.parties_of(agreement))
    members = queries.members_of(agreement.case)
    return _ids([agreement.repository.organisation, *members])


def _users(agreement: Agreement) -> str:
    if agreement.with_leader:
        return str(agreement.case.organisation)
    return ", ".join(map(str, rules.users_of(agreement)))


def _ids(organisations: Iterable[Organisation]) -> list[int]:
    return [organisation.pk for organisation in organisations]
