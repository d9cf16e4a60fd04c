"""What the factory does: check, assess, review, decide; and who may not."""

import threading

import pytest
from django.db import connection

from fabriek.access import actions
from fabriek.access.models import Application, Assessment, Decision
from fabriek.access.rules import JUDGED_BEFORE, OWN_ORGANISATION
from fabriek.access.states import ApplicationState
from fabriek.kernel.errors import Invalid, NotAllowed, Refused, WrongState
from fabriek.kernel.models import Entry
from tests.access.worlds import (
    GOOD,
    POOR,
    a_feasible,
    a_reviewed,
    a_reviewed_mode,
    a_submitted,
    an_awarded,
    an_eligible,
)
from tests.factories import (
    a_case,
    a_partner,
    a_person,
    an_application,
    an_assessor,
    an_organisation,
    staff,
)

pytestmark = pytest.mark.django_db
S = ApplicationState


def send_back(application, by):
    return actions.send_back(application, by=by, reasons="Which data?")


def find_eligible(application, by):
    return actions.find_eligible(application, by=by)


def find_ineligible(application, by):
    return actions.find_ineligible(application, by=by, reasons="Outside Europe.")


def technical(application, by):
    return actions.assess(application, step="technical", by=by, remarks="It will run.")


def review(application, by, scores=GOOD):
    return actions.assess(application, step="review", by=by, scores=scores, remarks="Clear.")


def award(application, by, gpu_hours=1):
    return actions.award(application, by=by, gpu_hours=gpu_hours, months=3, reasons="Good.")


def refuse(application, by):
    return actions.refuse(application, by=by, reasons="Too vague.")


# Step, who takes it, where it starts, where it leads.
STEPS = {
    "send_back": (send_back, staff, a_submitted, S.DRAFT),
    "find_eligible": (find_eligible, staff, a_submitted, S.ELIGIBLE),
    "find_ineligible": (find_ineligible, staff, a_submitted, S.REFUSED),
    "technical": (technical, an_assessor, an_eligible, S.FEASIBLE),
    "award": (award, staff, a_feasible, S.AWARDED),
    "refuse": (refuse, staff, a_feasible, S.REFUSED),
}
STEP = pytest.mark.parametrize(("step", "who", "start", "end"), STEPS.values(), ids=STEPS)


@STEP
def test_a_step_moves_the_application_and_writes_the_journal(step, who, start, end):
    application, _ = start()
    person, before = who(), Entry.objects.count()

    step(application, person)

    application.refresh_from_db()
    last = Entry.objects.order_by("-pk").first()
    assert application.state == end
    assert Entry.objects.count() == before + 1
    assert (last.by, last.details["went_to"], last.thread) == (
        person,
        end,
        application.case.code,
    )


@STEP
def test_a_step_is_refused_to_everybody_else(step, who, start, end):
    application, lead = start()
    before, written = application.state, Entry.objects.count()
    wrong_duty = an_assessor() if who is staff else staff()

    for other in (a_person(), lead, wrong_duty, a_person(duty="funder")):
        with pytest.raises(NotAllowed):
            step(application, other)

    application.refresh_from_db()
    assert application.state == before
    assert Entry.objects.count() == written


@STEP
@pytest.mark.parametrize("part", ["own", "accepted", "invited", "left"])
def test_nobody_judges_a_case_of_their_own_organisation(step, who, start, end, part):
    application, _ = start()
    person, before = who(), application.state
    ours = application.case.organisation if part == "own" else an_organisation()
    ours.memberships.create(person=person, role="member")
    if part != "own":
        a_partner(application.case, organisation=ours, state=part)
    application = Application.objects.get(pk=application.pk)

    with pytest.raises(NotAllowed) as refused:
        step(application, person)

    assert refused.value.sentence == OWN_ORGANISATION
    application.refresh_from_db()
    assert application.state == before


@STEP
def test_an_invitation_that_was_declined_is_no_interest(step, who, start, end):
    application, _ = start()
    person = who()
    a_partner(application.case, organisation=an_organisation(lead=person), state="declined")

    step(application, person)

    application.refresh_from_db()
    assert application.state == end


@STEP
def test_a_step_at_once_by_two_happens_once(step, who, start, end):
    application, _ = start()
    stale = Application.objects.get(pk=application.pk)
    step(application, who())
    written = Entry.objects.count()

    with pytest.raises(Refused):
        step(stale, who())

    application.refresh_from_db()
    assert application.state == end
    assert Entry.objects.count() == written
    assert Decision.objects.count() <= 1


@STEP
@pytest.mark.parametrize("state", [S.DRAFT, S.WITHDRAWN, S.AWARDED, S.REFUSED, S.ACCEPTED])
def test_a_step_is_not_open_from_elsewhere(step, who, start, end, state):
    application = an_application(state=state)

    with pytest.raises(WrongState):
        step(application, who())

    assert not Entry.objects.exists()
    assert not Assessment.objects.exists()


def test_a_step_on_a_stale_copy_of_the_same_person_is_refused():
    application, _ = an_eligible()
    stale = Application.objects.get(pk=application.pk)
    assessor = an_assessor()
    technical(application, assessor)

    with pytest.raises(Refused):
        technical(stale, assessor)

    assert Assessment.objects.filter(step="technical").count() == 1


# --- reasons -----------------------------------------------------------------------------
@pytest.mark.parametrize("reasons", ["", "  \n ", "x" * 5001, "no\x00"])
@pytest.mark.parametrize("step", ["send_back", "find_ineligible"])
def test_reasons_are_given_in_readable_words(step, reasons):
    application, _ = a_submitted()

    with pytest.raises(Invalid) as refused:
        getattr(actions, step)(application, by=staff(), reasons=reasons)

    assert set(refused.value.fields) <= {"reasons", "remarks"}
    application.refresh_from_db()
    assert application.state == S.SUBMITTED


def test_what_must_be_mended_is_told_to_the_applicant():
    application, _ = a_submitted()

    send_back(application, staff())

    entry = Entry.objects.get(verb="access.send_back")
    assert entry.details["note"] == "Which data?"
    assert application.due_at is None
    assert application.was_sent_back


def test_ineligible_is_kept_as_a_finding_and_a_decision():
    application, _ = a_submitted()
    person = staff()

    find_ineligible(application, person)

    finding = Assessment.objects.get()
    assert (finding.step, finding.is_positive, finding.by) == ("eligibility", False, person)
    assert application.decision.reasons == "Outside Europe."
    assert application.decision.decided_at == application.decided_at


# --- technical ---------------------------------------------------------------------------
def test_a_negative_finding_leaves_the_decision_to_staff():
    application, _ = an_eligible()
    actions.assess(
        application, step="technical", by=an_assessor(), is_positive=False, remarks="Too big."
    )
    assert application.state == S.ELIGIBLE

    refuse(application, staff())

    application.refresh_from_db()
    assert application.state == S.REFUSED


def test_a_negative_finding_is_explained():
    application, _ = an_eligible()

    with pytest.raises(Invalid) as refused:
        actions.assess(application, step="technical", by=an_assessor(), is_positive=False)

    assert list(refused.value.fields) == ["remarks"]
    assert not Assessment.objects.filter(step="technical").exists()


def test_nobody_gives_two_findings():
    application, _ = an_eligible()
    assessor = an_assessor()
    actions.assess(
        application, step="technical", by=assessor, is_positive=False, remarks="Too big."
    )

    with pytest.raises(Refused) as refused:
        technical(application, assessor)

    assert refused.value.code == "given_before"
    assert application.state == S.ELIGIBLE


def test_an_unassessed_application_is_not_decided():
    application, _ = an_eligible()

    with pytest.raises(WrongState) as refused:
        refuse(application, staff())

    assert refused.value.code == "assessment_missing"


def test_an_unknown_step_is_refused():
    application, _ = an_eligible()

    with pytest.raises(Invalid):
        actions.assess(application, step="eligibility", by=an_assessor())


def test_whoever_assessed_does_not_decide_and_is_told_why():
    both = staff()
    both.duty_set.create(duty="assessor")
    application, _ = an_eligible()
    technical(application, both)

    for step in (award, refuse):
        with pytest.raises(NotAllowed) as refused:
            step(application, both)
        assert refused.value.sentence == JUDGED_BEFORE

    assert not Decision.objects.exists()


# --- review ------------------------------------------------------------------------------
def a_reviewable():
    application, _ = a_feasible(mode=a_reviewed_mode())
    return application


def test_reviews_are_counted_before_the_review_is_finished():
    application = a_reviewable()
    review(application, an_assessor())

    with pytest.raises(WrongState) as refused:
        actions.finish_review(application, by=staff())

    assert refused.value.code == "reviews_missing"
    assert str(refused.value).startswith("There are 1 reviews; this access mode wants 2.")


def test_a_finished_review_can_be_decided():
    application, _ = a_reviewed()
    entry = Entry.objects.get(verb="access.finish_review")

    award(application, staff())

    assert (entry.details["total"], entry.details["passes"]) == (11, True)
    assert application.state == S.AWARDED


def test_a_reviewed_mode_is_not_decided_before_its_review():
    application = a_reviewable()

    for step in (award, refuse):
        with pytest.raises(WrongState) as refused:
            step(application, staff())
        assert refused.value.code == "assessment_missing"


def test_scores_below_the_threshold_cannot_be_awarded_but_refused():
    application, _ = a_reviewed(scores=POOR)

    with pytest.raises(WrongState) as refused:
        award(application, staff())
    refuse(application, staff())

    assert refused.value.code == "below_threshold"
    assert application.state == S.REFUSED


def test_a_review_is_blind_in_the_journal():
    application = a_reviewable()
    reviewer = an_assessor()

    finding = review(application, reviewer, scores=POOR)

    assert (finding.by, finding.is_positive) == (reviewer, False)
    assert Entry.objects.get(verb="access.review").by is None


@pytest.mark.parametrize(
    ("scores", "wrong"),
    [
        ({}, ["excellence", "impact", "implementation"]),
        (GOOD | {"impact": 6}, ["impact"]),
        (GOOD | {"impact": -1}, ["impact"]),
        (GOOD | {"impact": True}, ["impact"]),
        (GOOD | {"impact": "4"}, ["impact"]),
    ],
)
def test_scores_are_whole_numbers_within_the_scale(scores, wrong):
    application = a_reviewable()

    with pytest.raises(Invalid) as refused:
        review(application, an_assessor(), scores=scores)

    assert sorted(refused.value.fields) == wrong
    assert not Assessment.objects.filter(step="review").exists()


def test_a_review_is_explained():
    application = a_reviewable()

    with pytest.raises(Invalid) as refused:
        actions.assess(application, step="review", by=an_assessor(), scores=GOOD)

    assert list(refused.value.fields) == ["remarks"]


def test_a_review_that_comes_too_late_is_refused():
    application = a_reviewable()
    stale = Application.objects.get(pk=application.pk)
    for _ in range(2):
        review(application, an_assessor())
    actions.finish_review(application, by=staff())

    with pytest.raises(WrongState):
        review(stale, an_assessor())

    assert Assessment.objects.filter(step="review").count() == 2


@pytest.mark.parametrize(
    ("step", "who"), [(review, an_assessor), (actions.finish_review, staff)]
)
def test_a_mode_without_review_takes_none(step, who):
    application, _ = a_feasible()

    with pytest.raises(WrongState) as refused:
        step(application, by=who())

    assert refused.value.code == "no_review"


def test_a_review_is_finished_by_staff_only_and_once():
    application = a_reviewable()
    for _ in range(2):
        review(application, an_assessor())
    stale = Application.objects.get(pk=application.pk)
    with pytest.raises(NotAllowed):
        actions.finish_review(application, by=an_assessor())
    actions.finish_review(application, by=staff())

    with pytest.raises(WrongState, match="Somebody else"):
        actions.finish_review(stale, by=staff())

    assert Entry.objects.filter(verb="access.finish_review").count() == 1


# --- decision ----------------------------------------------------------------------------
def test_an_award_says_how_much_how_long_and_why():
    application, _ = a_feasible()
    person = staff()

    decision = award(application, person)

    decision.refresh_from_db()
    assert (decision.is_award, decision.gpu_hours, decision.months) == (True, 1, 3)
    assert (decision.reasons, decision.decided_by) == ("Good.", person)
    assert application.decided_at == decision.decided_at


@pytest.mark.parametrize(
    ("gpu_hours", "months", "wrong"),
    [(0, 3, "gpu_hours"), (-1, 3, "gpu_hours"), (2, 3, "gpu_hours"), (1, 4, "months")],
)
def test_an_award_is_no_more_than_was_asked(gpu_hours, months, wrong):
    application, _ = a_feasible()

    with pytest.raises(Invalid) as refused:
        actions.award(
            application, by=staff(), gpu_hours=gpu_hours, months=months, reasons="Good."
        )

    assert list(refused.value.fields) == [wrong]
    assert not Decision.objects.exists()


@pytest.mark.django_db(transaction=True)
def test_two_who_decide_at_the_same_moment_leave_one_decision():
    if connection.vendor == "sqlite" and connection.is_in_memory_db():
        pytest.skip("threads share one lock on a database in memory; PostgreSQL runs this")
    application, _ = a_feasible()
    ready, said = threading.Barrier(2), []

    def decide(step, person):
        mine = Application.objects.get(pk=application.pk)
        ready.wait()
        try:
            step(mine, person)
            said.append("done")
        except WrongState as refused:
            said.append(str(refused))
        finally:
            connection.close()

    deciders = [(award, staff()), (refuse, staff())]
    threads = [threading.Thread(target=decide, args=each) for each in deciders]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()

    application.refresh_from_db()
    assert sorted(word == "done" for word in said) == [False, True]
    assert Decision.objects.count() == 1
    assert application.decision.is_award == (application.state == S.AWARDED)


def test_an_award_waits_for_the_applicant():
    application, lead = an_awarded()

    actions.accept(application, by=lead)

    application.refresh_from_db()
    assert (application.state, application.decision.is_award) == (S.ACCEPTED, True)


def test_a_case_elsewhere_is_nobody_own():
    application, _ = a_feasible()
    decider = staff()
    a_case(lead=decider)

    award(application, decider)

    assert application.state == S.AWARDED
