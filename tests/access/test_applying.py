"""What applicants do: start, write, submit, withdraw, accept, decline."""

from datetime import UTC, datetime
from decimal import Decimal

import pytest
import time_machine

from fabriek.access import actions, answers
from fabriek.access.models import Answers, Application, Submission
from fabriek.access.refusals import Stale
from fabriek.access.states import ApplicationState
from fabriek.cases.states import CaseState
from fabriek.kernel.errors import Invalid, NotAllowed, Refused, WrongState
from fabriek.kernel.models import Entry
from tests.access.worlds import (
    PLAYGROUND,
    a_draft,
    a_seeded_mode,
    a_submitted,
    an_awarded,
    write_all,
)
from tests.factories import (
    a_case,
    a_form,
    a_mode,
    a_partner,
    a_person,
    an_application,
    staff,
)

pytestmark = pytest.mark.django_db
S = ApplicationState
TUESDAY = datetime(2026, 11, 24, 9, 0, tzinfo=UTC)


def verbs():
    return list(Entry.objects.order_by("pk").values_list("verb", flat=True))


# --- start -------------------------------------------------------------------------------
def test_start_makes_a_draft_with_all_that_is_known_filled_in():
    lead = a_person()
    case = a_case(lead=lead, title="Triage", data_description="Messages of 2025")

    application = actions.start(case, mode=a_seeded_mode(), by=lead)

    typed = {kept.section: kept.values for kept in application.answers.all()}
    assert application.state == S.DRAFT
    assert application.code.startswith("A")
    assert typed == {
        "project": {"title": "Triage", "summary": "Messages arrive at the wrong desk."},
        "data": {"data_description": "Messages of 2025"},
        "use": {"months": "1"},
    }
    assert verbs() == ["access.start"]


def test_start_twice_gives_the_same_draft():
    lead = a_person()
    case = a_case(lead=lead)

    first = actions.start(case, mode=a_mode(), by=lead)
    second = actions.start(case, mode=a_mode(), by=lead)

    assert first == second
    assert verbs() == ["access.start"]


def test_texts_of_an_earlier_application_are_not_typed_again():
    mode = a_seeded_mode()
    application, lead = a_draft(mode=mode)
    write_all(application, by=lead)
    actions.withdraw(application, by=lead)

    again = actions.start(application.case, mode=mode, by=lead)

    typed = {kept.section: kept.values for kept in again.answers.all()}
    assert typed["project"]["result"] == PLAYGROUND["project"]["result"]
    assert "consents" not in typed


@pytest.mark.parametrize("who", ["stranger", "staff", "partner"])
def test_start_is_refused_to_others_and_changes_nothing(who):
    case, other = a_case(), {"stranger": a_person, "staff": staff, "partner": a_person}[who]()
    if who == "partner":
        a_partner(case, lead=other)

    with pytest.raises(NotAllowed):
        actions.start(case, mode=a_mode(), by=other)

    assert not Application.objects.exists()
    assert not Entry.objects.exists()


@pytest.mark.parametrize("state", [CaseState.DRAFT, CaseState.CLOSED, CaseState.WITHDRAWN])
def test_start_needs_an_open_case(state):
    lead = a_person()
    case = a_case(lead=lead, state=state)

    with pytest.raises(WrongState) as refused:
        actions.start(case, mode=a_mode(), by=lead)

    assert refused.value.code == "case_not_open"


def test_start_needs_an_open_mode():
    lead = a_person()
    mode = a_mode()
    mode.is_open = False

    with pytest.raises(WrongState) as refused:
        actions.start(a_case(lead=lead), mode=mode, by=lead)

    assert refused.value.code == "mode_closed"


def test_start_while_one_is_assessed_is_refused():
    application, lead = a_submitted()

    with pytest.raises(Refused) as refused:
        actions.start(application.case, mode=application.mode, by=lead)

    assert refused.value.code == "already_asked"
    assert application.code in str(refused.value)


# --- save --------------------------------------------------------------------------------
@pytest.mark.parametrize("typed", ["", "x" * 200_000, "five thousand", "\x00\x07", "\ud800"])
def test_saving_keeps_whatever_was_typed(typed):
    application, lead = a_draft(mode=a_seeded_mode())
    kept = application.answers.get(section="use")

    actions.save_section(application, "use", {"months": typed}, version=0, by=lead)

    kept.refresh_from_db()
    shown = typed.replace("\x00", "\ufffd").replace("\ud800", "\ufffd")
    assert kept.values == {"months": shown}
    assert kept.version == 1
    assert kept.saved_by == lead


def test_saving_part_of_a_section_leaves_the_rest():
    application, lead = a_draft(mode=a_seeded_mode())

    kept = actions.save_section(application, "project", {"result": "Done"}, version=0, by=lead)

    assert kept.values["title"] == application.case.title
    assert kept.values["result"] == "Done"


def test_programs_may_send_numbers_and_truths():
    application, lead = a_draft(mode=a_seeded_mode())

    kept = actions.save_section(
        application, "data", {"data_size": 5, "personal_data": False}, version=0, by=lead
    )

    assert (kept.values["data_size"], kept.values["personal_data"]) == ("5", "no")


def test_saving_the_same_again_changes_nothing():
    application, lead = a_draft()
    first = actions.save_section(application, "plan", {"goal": "A"}, version=0, by=lead)

    again = actions.save_section(
        application, "plan", {"goal": "A"}, version=0, by=a_colleague(lead)
    )

    assert (again.version, again.saved_by, again.saved_at) == (1, lead, first.saved_at)


def a_colleague(lead):
    person = a_person()
    organisation = lead.memberships.get().organisation
    organisation.memberships.create(person=person, role="member")
    return person


def test_the_later_of_two_who_type_is_refused_and_shown_both_texts():
    application, lead = a_draft()
    actions.save_section(application, "plan", {"goal": "Mine"}, version=0, by=lead)

    with pytest.raises(Stale) as refused:
        actions.save_section(
            application, "plan", {"goal": "Theirs"}, version=0, by=a_colleague(lead)
        )

    assert refused.value.code == "stale"
    assert list(refused.value.fields.values()) == ["Saved is: “Mine”. You typed: “Theirs”."]
    assert Answers.objects.get().values == {"goal": "Mine"}


def test_saving_is_refused_to_a_stranger_and_to_a_partner():
    application, _ = a_draft()
    partner = a_person()
    a_partner(application.case, lead=partner)

    for other in (a_person(), staff(), partner):
        with pytest.raises(NotAllowed):
            actions.save_section(application, "plan", {"goal": "A"}, version=0, by=other)

    assert not Answers.objects.exists()


def test_saving_is_over_once_submitted_even_from_an_old_page():
    application, lead = a_draft()
    stale = Application.objects.get(pk=application.pk)
    actions.save_section(application, "plan", {"goal": "A"}, version=0, by=lead)
    actions.submit(application, by=lead)

    for copy in (application, stale):
        with pytest.raises(WrongState):
            actions.save_section(copy, "plan", {"goal": "B"}, version=1, by=lead)

    assert Answers.objects.get().values == {"goal": "A"}


@pytest.mark.parametrize(("section", "key"), [("plans", "goal"), ("plan", "gaol")])
def test_saving_an_unknown_question_is_refused(section, key):
    application, lead = a_draft()

    with pytest.raises(Invalid):
        actions.save_section(application, section, {key: "A"}, version=0, by=lead)

    assert not Answers.objects.exists()


# --- submit ------------------------------------------------------------------------------
def test_submit_sets_what_is_asked_and_when_an_answer_is_promised():
    application, lead = a_draft(mode=a_seeded_mode())
    write_all(application, by=lead)

    with time_machine.travel(TUESDAY, tick=False):
        actions.submit(application, by=lead)

    application.refresh_from_db()
    assert application.state == S.SUBMITTED
    assert (application.gpu_hours_asked, application.months) == (5000, 3)
    assert application.submitted_at == TUESDAY
    assert application.due_at == datetime(2026, 11, 26, 16, 0, tzinfo=UTC)
    assert verbs() == ["access.start", "access.submit"]


def test_submit_keeps_a_copy_of_questions_rules_and_answers():
    application, _ = a_submitted(goal="Shorter waiting")

    copy = Submission.objects.get()
    assert copy.number == 1
    assert copy.answers == {"plan": {"goal": "Shorter waiting"}}
    assert copy.form_rules == a_form().rules
    assert copy.rules == application.mode.rules


def test_submit_of_an_unfinished_application_names_each_answer_and_loses_nothing():
    application, lead = a_draft(mode=a_seeded_mode())
    write_all(
        application,
        by=lead,
        answers={
            "project": {"title": "T" * 121, "result": "An hour of typing"},
            "use": {"months": "6"},
            "consents": {"civilian_purpose": "no"},
        },
    )

    with pytest.raises(Invalid) as refused:
        actions.submit(application, by=lead)

    application.refresh_from_db()
    assert application.state == S.DRAFT
    assert refused.value.code == "incomplete"
    assert sorted(refused.value.fields) == [
        "consents.accepts_terms",
        "consents.aid_received",
        "consents.civilian_purpose",
        "consents.no_double_funding",
        "data.data_description",
        "data.data_size",
        "data.personal_data",
        "project.approach",
        "project.title",
        "use.help_wanted",
        "use.months",
    ]
    typed = application.answers.get(section="project").values
    assert (typed["title"], typed["result"]) == ("T" * 121, "An hour of typing")
    assert verbs() == ["access.start"]


def test_a_question_that_is_not_put_need_not_be_answered():
    application, lead = a_draft(mode=a_seeded_mode())
    write_all(application, by=lead)
    kept = application.answers.get(section="data")
    actions.save_section(
        application, "data", {"personal_data": "yes"}, version=kept.version, by=lead
    )

    with pytest.raises(Invalid) as refused:
        actions.submit(application, by=lead)

    assert list(refused.value.fields) == ["data.personal_data_basis"]


def test_submit_is_for_leads_only():
    application, lead = a_draft()
    actions.save_section(application, "plan", {"goal": "A"}, version=0, by=lead)

    for other in (a_person(), staff(), a_colleague(lead)):
        with pytest.raises(NotAllowed):
            actions.submit(application, by=other)

    application.refresh_from_db()
    assert application.state == S.DRAFT
    assert not Submission.objects.exists()


def test_submit_by_two_at_once_happens_once():
    application, lead = a_draft()
    actions.save_section(application, "plan", {"goal": "A"}, version=0, by=lead)
    stale = Application.objects.get(pk=application.pk)
    actions.submit(application, by=lead)

    for copy in (stale, application):
        with pytest.raises(WrongState):
            actions.submit(copy, by=lead)

    assert verbs().count("access.submit") == 1
    assert Submission.objects.count() == 1


def test_submit_needs_the_case_to_be_open_still():
    application, lead = a_draft()
    actions.save_section(application, "plan", {"goal": "A"}, version=0, by=lead)
    type(application.case).objects.update(state=CaseState.WITHDRAWN)
    application = Application.objects.get(pk=application.pk)

    with pytest.raises(WrongState) as refused:
        actions.submit(application, by=lead)

    assert refused.value.code == "case_not_open"


def test_after_being_sent_back_it_can_be_mended_and_submitted_again():
    application, lead = a_submitted()
    actions.send_back(application, by=staff(), reasons="Which data?")

    actions.save_section(application, "plan", {"goal": "Better"}, version=1, by=lead)
    actions.submit(application, by=lead)

    copies = Submission.objects.order_by("number").values_list("number", "answers")
    assert list(copies) == [
        (1, {"plan": {"goal": "Shorter waiting."}}),
        (2, {"plan": {"goal": "Better"}}),
    ]


# --- withdraw, accept, decline -----------------------------------------------------------
STEPS = {"withdraw": S.WITHDRAWN, "accept": S.ACCEPTED, "decline": S.DECLINED}


@pytest.mark.parametrize(("step", "state"), STEPS.items())
def test_a_lead_answers_for_the_organisation(step, state):
    application, lead = a_submitted() if step == "withdraw" else an_awarded()

    getattr(actions, step)(application, by=lead)

    application.refresh_from_db()
    assert application.state == state
    assert verbs()[-1] == f"access.{step}"


@pytest.mark.parametrize("step", STEPS)
def test_nobody_else_answers_for_the_organisation(step):
    application, lead = a_submitted() if step == "withdraw" else an_awarded()
    before, partner = application.state, a_person()
    a_partner(application.case, lead=partner)

    for other in (a_person(), staff(), a_colleague(lead), partner):
        with pytest.raises(NotAllowed):
            getattr(actions, step)(application, by=other)

    application.refresh_from_db()
    assert application.state == before


@pytest.mark.parametrize("step", STEPS)
@pytest.mark.parametrize("state", [S.REFUSED, S.WITHDRAWN, S.ACCEPTED, S.DECLINED])
def test_an_application_that_is_over_stays_over(step, state):
    lead = a_person()
    application = an_application(case=a_case(lead=lead), state=state)

    with pytest.raises(WrongState):
        getattr(actions, step)(application, by=lead)


def test_accept_and_decline_at_once_leaves_the_first():
    application, lead = an_awarded()
    stale = Application.objects.get(pk=application.pk)
    actions.accept(application, by=lead)

    with pytest.raises(WrongState, match="Somebody else"):
        actions.decline(stale, by=lead)

    application.refresh_from_db()
    assert application.state == S.ACCEPTED


# --- numbers as people type them ---------------------------------------------------------
@pytest.mark.parametrize(
    ("typed", "value"),
    [
        ("5000", 5000),
        ("5.000", 5000),
        ("5,000", 5000),
        ("5 000", 5000),
        ("2.400.000", 2_400_000),
        ("1,5", Decimal("1.5")),
        ("0.125", Decimal("0.125")),
        ("-3", -3),
    ],
)
def test_a_number_is_read_as_dutch_and_english_people_write_it(typed, value):
    form = a_seeded_mode("fast_lane")
    question = actions.queries.form_of(form).rules.section("resources").question("storage")

    question = question.model_copy(update={"min": None})

    assert answers.read(question, typed, form.rules) == value


@pytest.mark.parametrize(
    ("typed", "sentence"),
    [
        ("10000", "“Fast Lane” is for 10,001 to 50,000 GPU-hours."),
        ("50001", "“Fast Lane” is for 10,001 to 50,000 GPU-hours."),
        ("10001,5", "Write a whole number."),
        ("veel", "This is not a number."),
        ("1e9", "This is not a number."),
        ("", "Please answer this question."),
    ],
)
def test_an_amount_stays_within_its_mode(typed, sentence):
    mode = a_seeded_mode("fast_lane")
    question = actions.queries.form_of(mode).rules.section("resources").question("amount")

    said = answers.problem(question, {"amount": typed}, mode.rules)

    assert said.startswith(sentence)


def test_node_hours_are_asked_as_gpu_hours():
    mode = a_seeded_mode("benchmark")
    form = actions.queries.form_of(mode).rules

    asked = answers.asked(form, {"resources": {"amount": "250", "months": "2"}}, mode.rules)

    assert (asked.gpu_hours, asked.months) == (1000, 2)
