import pytest

from fabriek.cases import actions
from fabriek.cases.models import Case
from fabriek.cases.states import CASE, CaseState
from fabriek.kernel.errors import Invalid, NotAllowed, WrongState
from fabriek.kernel.models import Entry
from tests.factories import a_case, a_partner, a_person, a_sector, an_organisation, staff

pytestmark = pytest.mark.django_db


def facts(**changes):
    return {
        "title": "Shorter waiting",
        "problem": "Messages arrive at the wrong desk.",
        "sector": a_sector(),
        "data_description": "40,000 messages",
        "trl_now": 3,
        "trl_aimed": 6,
        "is_confidential": True,
    } | changes


@pytest.fixture
def lead():
    return a_person()


@pytest.fixture
def member():
    return a_person()


@pytest.fixture
def organisation(lead, member):
    return an_organisation(lead=lead, member=member)


@pytest.fixture
def draft(organisation, lead):
    return a_case(lead=lead, organisation=organisation, state=CaseState.DRAFT, proposed_at=None)


def verbs():
    return list(Entry.objects.order_by("pk").values_list("verb", flat=True))


def test_a_member_drafts_a_case_with_a_code_of_its_own(organisation, member):
    case = actions.draft(organisation, by=member, **facts(title="  Shorter   waiting "))

    case.refresh_from_db()
    assert (case.state, case.title) == (CaseState.DRAFT, "Shorter waiting")
    assert case.code == f"C{case.created_at:%y}-{case.pk:04d}"
    entry = Entry.objects.get()
    assert (entry.verb, entry.by, entry.thread) == ("cases.draft", member, case.code)


def test_a_stranger_drafts_nothing_for_an_organisation(organisation):
    for stranger in (a_person(), staff()):
        with pytest.raises(NotAllowed):
            actions.draft(organisation, by=stranger, **facts())

    assert not Case.objects.exists()


@pytest.mark.parametrize(
    ("field", "value"),
    [
        ("title", "x" * 300),
        ("title", "\n \t"),
        ("title", "a\x07b"),
        ("problem", ""),
        ("problem", "x" * 5001),
        ("problem", "a\x00b"),
        ("data_description", "x" * 5001),
        ("trl_now", 0),
        ("trl_aimed", 10),
        ("trl_aimed", 2),
    ],
)
def test_hostile_values_are_refused_by_field_and_nothing_is_kept(
    organisation, lead, field, value
):
    with pytest.raises(Invalid) as refusal:
        actions.draft(organisation, by=lead, **facts(**{field: value}))

    assert list(refusal.value.fields) == [field]
    assert not Case.objects.exists()
    assert not Entry.objects.exists()


def test_a_member_edits_a_draft_and_the_journal_names_what_changed(draft, member):
    actions.edit(draft, by=member, title="Longer waiting", trl_now=draft.trl_now)

    draft.refresh_from_db()
    assert draft.title == "Longer waiting"
    assert list(Entry.objects.values_list("verb", "details")) == [
        ("cases.edit", {"changed": ["title"], "was": "Shorter waiting at the care desk"})
    ]


def test_editing_twice_with_the_same_values_writes_one_line(draft, member):
    for _ in range(2):
        actions.edit(draft, by=member, title="Longer waiting")

    assert verbs() == ["cases.edit"]


def test_of_a_proposed_case_only_a_lead_changes_the_words(organisation, lead, member):
    case = a_case(lead=lead, organisation=organisation)

    with pytest.raises(NotAllowed):
        actions.edit(case, by=member, title="Mine")
    actions.edit(case, by=lead, title="Ours")

    case.refresh_from_db()
    assert case.title == "Ours"


def test_a_partner_and_the_staff_edit_nothing(draft):
    partner_lead = a_person()
    a_partner(draft, lead=partner_lead)

    for stranger in (partner_lead, staff(), a_person()):
        with pytest.raises(NotAllowed):
            actions.edit(draft, by=stranger, title="Mine")

    draft.refresh_from_db()
    assert draft.title != "Mine"


def test_a_member_with_a_stale_page_does_not_change_what_was_proposed(draft, lead, member):
    stale = Case.objects.get(pk=draft.pk)
    actions.propose(draft, by=lead)

    with pytest.raises(WrongState, match="a moment ago"):
        actions.edit(stale, by=member, title="Mine")

    draft.refresh_from_db()
    assert draft.title != "Mine"


@pytest.mark.parametrize("state", [CaseState.CLOSED, CaseState.WITHDRAWN])
def test_a_case_that_is_over_is_not_edited(organisation, lead, state):
    case = a_case(lead=lead, organisation=organisation, state=state)

    with pytest.raises(WrongState, match="is over"):
        actions.edit(case, by=lead, title="Mine")

    case.refresh_from_db()
    assert case.title != "Mine"


def test_proposing_opens_the_case_and_dates_it(draft, lead):
    actions.propose(draft, by=lead)

    draft.refresh_from_db()
    assert draft.state == CaseState.OPEN
    assert draft.proposed_at is not None
    assert verbs() == ["cases.propose"]


STEPS = {
    "propose": (actions.propose, {CaseState.DRAFT}),
    "close": (actions.close, {CaseState.OPEN}),
    "withdraw": (actions.withdraw, {CaseState.DRAFT, CaseState.OPEN}),
}


@pytest.mark.parametrize("step", STEPS)
@pytest.mark.parametrize("state", CaseState)
def test_steps_are_open_from_their_own_states_only(organisation, lead, step, state):
    action, sources = STEPS[step]
    case = a_case(lead=lead, organisation=organisation, state=state)

    if state in sources:
        action(case, by=lead)
    else:
        with pytest.raises(WrongState):
            action(case, by=lead)

    case.refresh_from_db()
    assert case.state == (CASE.steps[step].target if state in sources else state)


@pytest.mark.parametrize("step", STEPS)
def test_steps_are_refused_to_who_does_not_lead(organisation, lead, member, step):
    action, sources = STEPS[step]
    case = a_case(lead=lead, organisation=organisation, state=sorted(sources)[0])
    partner_lead = a_person()
    a_partner(case, lead=partner_lead)

    for person in (member, partner_lead, staff(), a_person()):
        with pytest.raises(NotAllowed):
            action(case, by=person)

    case.refresh_from_db()
    assert case.state == sorted(sources)[0]
    assert not Entry.objects.exists()


@pytest.mark.parametrize("step", STEPS)
def test_a_step_taken_twice_or_by_two_at_once_happens_once(organisation, lead, step):
    action, sources = STEPS[step]
    case = a_case(lead=lead, organisation=organisation, state=sorted(sources)[0])
    stale = Case.objects.get(pk=case.pk)
    action(case, by=lead)

    with pytest.raises(WrongState):
        action(case, by=lead)
    with pytest.raises(WrongState, match="a moment ago"):
        action(stale, by=lead)

    assert verbs() == [f"cases.{step}"]


INTAKE = {
    "purpose": "build",
    "experience": "none",
    "gpu_hours_guess": None,
    "months": 3,
    "is_eu_funded": False,
}


def test_the_latest_intake_answers_count(organisation, lead, member):
    case = a_case(lead=lead, organisation=organisation)

    actions.answer_intake(case, by=member, **INTAKE)
    actions.answer_intake(case, by=lead, **INTAKE | {"months": 6, "gpu_hours_guess": 4000})

    case.refresh_from_db()
    assert (case.intake.months, case.intake.gpu_hours_guess) == (6, 4000)
    assert verbs() == ["cases.intake", "cases.intake"]


@pytest.mark.parametrize(
    ("field", "value"),
    [
        ("purpose", "world peace"),
        ("experience", ""),
        ("months", 0),
        ("months", 61),
        ("gpu_hours_guess", 0),
        ("gpu_hours_guess", 10**12),
    ],
)
def test_intake_answers_out_of_bounds_are_refused(organisation, lead, field, value):
    case = a_case(lead=lead, organisation=organisation)

    with pytest.raises(Invalid) as refusal:
        actions.answer_intake(case, by=lead, **INTAKE | {field: value})

    assert list(refusal.value.fields) == [field]
    case.refresh_from_db()
    assert not hasattr(case, "intake")


def test_a_stranger_answers_no_intake(organisation, lead):
    case = a_case(lead=lead, organisation=organisation)
    partner_lead = a_person()
    a_partner(case, lead=partner_lead)

    for person in (partner_lead, staff(), a_person()):
        with pytest.raises(NotAllowed):
            actions.answer_intake(case, by=person, **INTAKE)

    assert not Entry.objects.exists()


def test_a_case_that_is_over_takes_no_intake_answers(organisation, lead):
    case = a_case(lead=lead, organisation=organisation, state=CaseState.CLOSED)

    with pytest.raises(WrongState):
        actions.answer_intake(case, by=lead, **INTAKE)

    assert not Entry.objects.exists()


def test_every_state_can_be_reached():
    reachable = {CaseState.DRAFT} | {step.target for step in CASE.steps.values()}

    assert reachable == set(CaseState)
