"""Agreements as lists and pages show them, and the things that people name in forms."""

from dataclasses import replace
from datetime import datetime

from django.db.models import Case as CaseOf
from django.db.models import (
    Exists,
    IntegerField,
    OuterRef,
    Prefetch,
    Q,
    QuerySet,
    Subquery,
    Value,
    When,
)
from django.utils import timezone
from django.utils.translation import gettext as _

from fabriek.agreements import refusals, rules, tries
from fabriek.agreements.models import Agreement, Message, Signature
from fabriek.agreements.states import WAITING, AgreementState
from fabriek.agreements.traces import Statement
from fabriek.cases import queries as cases
from fabriek.cases.models import Case
from fabriek.cases.states import CaseState, PartnerState
from fabriek.kernel import text
from fabriek.kernel.models import Entry
from fabriek.kernel.timeline import Happening
from fabriek.people import numbers
from fabriek.people.models import Membership, Organisation, Person, Role
from fabriek.store.models import Repository

MOST_MESSAGES = 100
# What a list shows of each; the texts stay in the database.
SHOWN = (
    "code",
    "state",
    "begins_at",
    "ends_at",
    "begun_at",
    "purposes",
    "product",
    "place",
    "duties",
    "with_leader",
    "repository__code",
    "repository__title",
    "repository__organisation__name",
    "case__code",
    "case__organisation__name",
)


def whole(rows: QuerySet[Agreement]) -> QuerySet[Agreement]:
    """Bring along all that the page of an agreement shows, and all that its steps rest on."""
    rows = rows.select_related(
        "repository__organisation", "case__organisation", "begun_by", "replaces", "statement"
    )
    signatures = Signature.objects.select_related("organisation", "person").order_by("pk")
    return rows.prefetch_related("organisations", Prefetch("signatures", signatures))


def newer(agreement: Agreement, person: Person) -> Agreement | None:
    """Give the last text that was proposed in its place, to who is a party to that too."""
    rows = Agreement.objects.visible_to(person).filter(replaces=agreement)
    return rows.order_by("-pk").first()


def listing(
    person: Person, *, q: str = "", state: str = "", dataset: str = ""
) -> QuerySet[Agreement]:
    """List what this person may see: what waits for their signature first, then newest."""
    rows = Agreement.objects.visible_to(person)
    if dataset:
        rows = rows.filter(repository__code=typed(dataset))
    if state in AgreementState.values:
        rows = rows.filter(state=state)
    if q := typed(q, most=200):
        named = Q(repository__title__icontains=q) | Q(case__organisation__name__icontains=q)
        coded = Q(code__iexact=q) | Q(case__code__iexact=q) | Q(repository__code__iexact=q)
        rows = rows.filter(named | coded | Q(repository__organisation__name__icontains=q))
    rows = rows.select_related("repository__organisation", "case__organisation").only(*SHOWN)
    waits = CaseOf(
        When(_waits_for(person), then=Value(1)), default=Value(0), output_field=IntegerField()
    )
    return rows.annotate(waits=waits).order_by("-waits", "-begun_at", "-pk")


def awaiting(person: Person) -> QuerySet[Agreement]:
    """Find those that wait for a signature that this person can give; the oldest first."""
    if not _led_by(person):
        return Agreement.objects.none()
    rows = Agreement.objects.filter(_waits_for(person))
    rows = rows.select_related("repository__organisation", "case__organisation").only(*SHOWN)
    return rows.order_by("begun_at", "pk")


def asking(person: Person) -> QuerySet[Agreement]:
    """Find what is not agreed on yet and in which the other side had the last word."""
    newest = Message.objects.filter(agreement=OuterRef("pk")).order_by("-at", "-pk")
    ours = Membership.objects.filter(organisation__in=person.organisation_ids)
    rows = Agreement.objects.of_parties(person)
    rows = rows.filter(state__in=WAITING, ends_at__gt=timezone.now())
    rows = rows.annotate(spoke=Subquery(newest.values("by")[:1])).filter(spoke__isnull=False)
    rows = rows.exclude(Exists(ours.filter(person=OuterRef("spoke"))))
    rows = rows.select_related("repository", "case").only(*SHOWN)
    return rows.order_by("begun_at", "pk")


def taken_back(person: Person, *, since: datetime) -> QuerySet[Agreement]:
    """Find what was revoked since, of either side; not where both began again meanwhile."""
    again = Agreement.objects.of_parties(person).filter(
        repository=OuterRef("repository"),
        case=OuterRef("case"),
        state__in=WAITING | {AgreementState.IN_FORCE},
        ends_at__gt=timezone.now(),
    )
    rows = Agreement.objects.of_parties(person)
    rows = rows.filter(state=AgreementState.REVOKED, over_at__gte=since).exclude(Exists(again))
    rows = rows.select_related("repository__organisation", "case__organisation").only(*SHOWN)
    stated = Exists(Statement.objects.filter(agreement=OuterRef("pk")))
    return rows.annotate(is_stated=stated).order_by("-over_at", "-pk")


def timeline(agreement: Agreement, person: Person) -> list[Happening]:
    """Tell all that happened, with what was said, newest first.

    It is one story of all texts that replaced each other. Staff hear what was done, not what
    the parties said to each other, nor their reasons.
    """
    may_read = rules.is_party(person, agreement)
    story = Agreement.objects.filter(Q(thread_code=agreement.thread) | Q(code=agreement.thread))
    told = story & Agreement.objects.visible_to(person)
    entries = Entry.objects.filter(
        subject_kind="agreements.agreement",
        subject_id__in=told.values("pk"),
        verb__startswith="agreements.",
    ).exclude(verb="agreements.say")
    done = cases.story(entries)
    if not may_read:
        return [replace(each, note="") for each in done]
    # A text for others is named to nobody who was left out of it.
    untold = set(story.exclude(pk__in=told.values("pk")).values_list("code", flat=True))
    done = [replace(each, note="") if each.note in untold else each for each in done]
    both = [*done, *_said(told)]
    return sorted(both, key=lambda each: each.at, reverse=True)


def case_told(code: str, number: str, *, to: Person) -> Case:
    """Find the open case whose code, and whose organisation, somebody was told.

    A code alone can be guessed, and would be answered with whose case it is.

    Raises:
        Invalid: no such pair; whether there is such a case stays unsaid.
        Refused: `to` tried too many that are none.
    """
    tries.require_some_left(to)
    rows = Case.objects.select_related("organisation").filter(
        code__iexact=typed(code),
        organisation__in=Organisation.objects.registered_as(typed(number)),
        state=CaseState.OPEN,
    )
    if (found := rows.first()) is None:
        tries.count(to)
        raise refusals.unknown_case()
    return found


def organisations_told(case: Case, told: list[str], *, to: Person) -> tuple[Organisation, ...]:
    """Find organisations of the consortium by the numbers that somebody was told.

    Raises:
        Invalid: one of them takes no part; whether it is registered here stays unsaid.
        Refused: `to` tried too many that take no part.
    """
    if any(told):
        tries.require_some_left(to)
    joined = case.partners.filter(state=PartnerState.ACCEPTED).values("organisation")
    inside = Organisation.objects.filter(Q(pk=case.organisation_id) | Q(pk__in=joined))
    asked = list(
        dict.fromkeys(
            number for each in told if (number := numbers.of_any_register(typed(each)))
        )
    )
    found = {each.register_number: each for each in inside.registered_as(*asked)}
    for number in asked:
        if number not in found:
            tries.count(to)
            raise refusals.unknown_organisation(number)
    return tuple(found[number] for number in asked)


def members_of(case: Case) -> QuerySet[Organisation]:
    """Give the consortium, to its own people: who leads it and who joined."""
    joined = case.partners.filter(state=PartnerState.ACCEPTED).values("organisation")
    return Organisation.objects.filter(Q(pk=case.organisation_id) | Q(pk__in=joined))


def dataset_found(code: str, person: Person) -> Repository:
    """Find a dataset that this person may know of.

    Raises:
        Invalid: there is none, or it is listed for nobody: the answer is the same.
    """
    rows = Repository.objects.select_related("organisation", "case")
    found = rows.filter(code__iexact=typed(code)).first()
    if found is None or not rules.may_find(person, found):
        raise refusals.unknown_dataset()
    return found


def typed(words: str, *, most: int = 60) -> str:
    return text.sought(words, most=most)


def own_open_cases(person: Person) -> QuerySet[Case]:
    rows = Case.objects.taken_part_in_by(person).filter(state=CaseState.OPEN)
    return rows.select_related("organisation").order_by("-pk")


def _waits_for(person: Person) -> Q:
    """Whether one of the organisations that this person leads has yet to sign."""
    led = _led_by(person)
    if not led:
        return Q(pk__in=())
    signed = Signature.objects.filter(agreement=OuterRef("pk"))
    of_owner = signed.filter(organisation=OuterRef("repository__organisation"))
    of_user = signed.filter(organisation=OuterRef("case__organisation"))
    named = Agreement.organisations.through.objects.filter(
        agreement=OuterRef("pk"), organisation__in=led
    )
    of_named = Signature.objects.filter(
        agreement=OuterRef("agreement"), organisation=OuterRef("organisation")
    )
    is_waiting = Q(state__in=WAITING, ends_at__gt=timezone.now())
    return is_waiting & (
        Q(~Exists(of_owner), repository__organisation__in=led)
        | Q(~Exists(of_user), case__organisation__in=led, with_leader=True)
        | Q(Exists(named.filter(~Exists(of_named))))
    )


def _led_by(person: Person) -> list[int]:
    return [pk for pk, role in person.roles.items() if role == Role.LEAD]


def _said(told: QuerySet[Agreement]) -> list[Happening]:
    rows = Message.objects.filter(agreement__in=told.values("pk")).order_by("-at", "-pk")
    found = rows.values_list("at", "text", "by__name", "by__email")[:MOST_MESSAGES]
    sentence = _("Wrote a message")
    return [
        Happening(at=at, sentence=sentence, by=name or email, note=text)
        for at, text, name, email in found
    ]
