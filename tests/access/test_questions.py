"""What waits for whom, how far a promise is, what is advised, which conditions are met."""

import json
import shutil
from datetime import UTC, datetime

import pytest
from django.conf import settings as ours

from fabriek.access import actions, advice, eligibility, promises, queries, scoring
from fabriek.access.advice import Wishes
from fabriek.access.definitions import CutOffs, ModeRules, Scores
from fabriek.access.eligibility import Facts, Member, check
from fabriek.access.models import Form, Mode
from fabriek.access.rules import next_steps
from fabriek.access.seed import DATA, seed_modes
from fabriek.access.states import APPLICATION, ApplicationState
from fabriek.kernel.errors import Refused
from fabriek.people.countries import COUNTRIES
from tests.access.worlds import (
    GOOD,
    SCORES,
    a_draft,
    a_feasible,
    a_reviewed,
    a_reviewed_mode,
    a_seeded_mode,
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


def test_every_state_can_be_reached():
    reachable = {S.DRAFT}
    for _ in S:
        reachable |= {s.target for s in APPLICATION.steps.values() if s.sources & reachable}

    assert reachable == set(S)


# --- what waits --------------------------------------------------------------------------
def test_what_waits_for_staff():
    submitted, _ = a_submitted()
    an_eligible()
    feasible, _ = a_feasible()
    a_feasible(mode=a_reviewed_mode())
    reviewed, _ = a_reviewed()
    doubted, _ = an_eligible()
    actions.assess(
        doubted, step="technical", by=an_assessor(), is_positive=False, remarks="Too big."
    )
    a_draft()
    an_awarded()

    assert set(queries.awaiting(staff())) == {submitted, feasible, reviewed, doubted}


def test_what_waits_for_an_assessor():
    a_submitted()
    eligible, _ = an_eligible()
    a_feasible()
    reviewable, _ = a_feasible(mode=a_reviewed_mode())
    assessor = an_assessor()

    before = set(queries.awaiting(assessor))
    actions.assess(reviewable, step="review", by=assessor, scores=GOOD, remarks="Clear.")

    assert before == {eligible, reviewable}
    assert set(queries.awaiting(assessor)) == {eligible}


def test_what_waits_for_an_applicant():
    returned, lead = a_submitted()
    actions.send_back(returned, by=staff(), reasons="Which data?")
    awarded, other = an_awarded()
    member = a_person()
    awarded.case.organisation.memberships.create(person=member, role="member")

    assert list(queries.awaiting(lead)) == [returned]
    assert list(queries.awaiting(other)) == [awarded]
    assert list(queries.awaiting(member)) == []
    assert list(queries.awaiting(a_person())) == []


def test_a_case_of_their_own_does_not_wait_for_staff_or_assessors():
    submitted, _ = a_submitted()
    eligible, _ = an_eligible()
    clerk, assessor = staff(), an_assessor()
    for person, application in ((clerk, submitted), (assessor, eligible)):
        ours = an_organisation(lead=person)
        a_partner(application.case, organisation=ours, state="invited")

    assert list(queries.awaiting(clerk)) == []
    assert list(queries.awaiting(assessor)) == []


@pytest.mark.parametrize("many", [1, 30])
def test_what_waits_and_its_next_steps_cost_the_same_for_any_number(
    many, django_assert_num_queries
):
    for _ in range(many):
        an_application(state=S.SUBMITTED)
    clerk = staff()

    with django_assert_num_queries(4):
        steps = [next_steps(clerk, each) for each in queries.awaiting(clerk)]

    assert [len(each) for each in steps] == [3] * many


@pytest.mark.parametrize("many", [1, 30])
def test_for_staff_with_an_organisation_the_partners_are_one_query_more(
    many, django_assert_num_queries
):
    clerk = staff()
    an_organisation(lead=clerk)
    for _ in range(many):
        a_partner(an_application(state=S.SUBMITTED).case)

    with django_assert_num_queries(5):
        steps = [next_steps(clerk, each) for each in queries.awaiting(clerk)]

    assert [len(each) for each in steps] == [3] * many


@pytest.mark.parametrize("many", [1, 30])
def test_what_waits_for_an_applicant_and_its_steps_are_one_query(
    many, django_assert_num_queries
):
    lead = a_person()
    organisation = an_organisation(lead=lead)
    for _ in range(many):
        an_application(case=a_case(organisation=organisation), state=S.AWARDED)
    assert (lead.duties, len(lead.roles)) == ({}, 1)  # read once, as on a page

    with django_assert_num_queries(1):
        steps = [next_steps(lead, each) for each in queries.awaiting(lead)]

    assert [[step.name for step in each] for each in steps] == [["accept", "decline"]] * many


# --- promises ----------------------------------------------------------------------------
def at(day, hour=10, month=11):
    return datetime(2026, month, day, hour, tzinfo=UTC)


@pytest.mark.parametrize(
    ("now", "left", "is_late", "short"),
    [
        (at(24), 2, False, "2 working days left"),
        (at(26), 0, False, "0 working days left"),
        (at(26, 17), -1, True, "1 working day late"),
        (at(30), -2, True, "2 working days late"),
    ],
)
def test_the_clock_counts_working_days(now, left, is_late, short):
    clock = promises.clock(at(26, 16), now)

    assert (clock.workdays_left, clock.is_late, clock.short) == (left, is_late, short)


CUT_OFFS = CutOffs(
    every_months=2, first_month=2, days=(1, 15), time="10:00", zone="Europe/Amsterdam"
)


@pytest.mark.parametrize(
    ("moment", "cut_off"),
    [
        (at(24), at(1, 9, 12)),
        (at(1, 9, 12), at(1, 9, 12)),
        (at(1, 10, 12), at(15, 9, 12)),
        (at(16, 0, 12), datetime(2027, 2, 1, 9, tzinfo=UTC)),
    ],
)
def test_the_next_cut_off(moment, cut_off):
    assert promises.next_cut_off(CUT_OFFS, moment) == cut_off


def test_nobody_is_late_once_it_is_decided():
    application = an_application(state=S.REFUSED, due_at=at(1))

    assert queries.clock(application, at(24)) is None


# --- scores ------------------------------------------------------------------------------
@pytest.mark.parametrize(
    ("reviews", "total", "passes"),
    [
        ([(3, 3, 4)], 10, True),
        ([(3, 3, 3)], 9, False),
        ([(5, 5, 2)], 12, False),
        ([(5, 5, 2), (5, 5, 4)], 13, True),
    ],
)
def test_scores_are_weighed_together(reviews, total, passes):
    rules = Scores.model_validate(SCORES)
    keys = [criterion.key for criterion in rules.criteria]

    outcome = scoring.outcome([dict(zip(keys, r, strict=True)) for r in reviews], rules)

    assert (outcome.total, outcome.passes) == (total, passes)


# --- advice ------------------------------------------------------------------------------
def wishes(**given):
    defaults = {
        "kind": "sme",
        "purpose": "try",
        "experience": "none",
        "gpu_hours": None,
        "months": 2,
        "is_eu_funded": False,
    }
    return Wishes(**defaults | given)


@pytest.mark.parametrize(
    ("given", "fitting"),
    [
        ({}, ["playground"]),
        ({"kind": "startup", "purpose": "build", "gpu_hours": 4000}, ["playground"]),
        ({"kind": "large", "experience": "expert"}, []),
        (
            {"purpose": "build", "experience": "some", "gpu_hours": 20_000, "months": 3},
            ["fast_lane"],
        ),
        ({"purpose": "build", "experience": "none", "gpu_hours": 20_000, "months": 3}, []),
        ({"purpose": "large", "gpu_hours": 500_000, "months": 6}, ["large_scale"]),
        (
            {"kind": "knowledge", "purpose": "research", "gpu_hours": 90_000, "months": 6},
            ["ai_for_science"],
        ),
        ({"kind": "sme", "purpose": "research", "gpu_hours": 90_000, "months": 6}, []),
        (
            {"purpose": "research", "gpu_hours": 90_000, "months": 6, "is_eu_funded": True},
            ["ai_for_science"],
        ),
        ({"kind": "public", "purpose": "benchmark"}, ["benchmark"]),
        ({"purpose": "prepare", "months": 12}, ["development"]),
        ({"purpose": "prepare", "months": 24}, []),
    ],
)
def test_the_mode_that_is_advised(given, fitting):
    seed_modes()

    advised = advice.weigh(wishes(**given), list(Mode.objects.all()))

    assert [each.mode.code for each in advised if each.fits] == fitting
    assert len(advised) == 6
    assert all(each.reasons for each in advised)


# --- conditions --------------------------------------------------------------------------
def facts(**given):
    rules = ModeRules(code="x", min=5000, max=5000, durations_months=(1, 2, 3), kinds=("sme",))
    defaults = {
        "rules": rules,
        "kind": "sme",
        "kind_words": "SME",
        "staff_count": 12,
        "turnover_eur": 1_000_000,
        "balance_eur": 1_000_000,
        "members": (Member(name="Ours", country="NL"), Member(name="Theirs", country="de")),
        "gpu_hours": 5000,
        "months": 3,
        "civilian": "yes",
        "contract": "yes",
        "consents": ("yes", "yes"),
        "experience": "none",
        "is_eu_funded": False,
    }
    return Facts(**defaults | given)


def test_all_conditions_can_be_met():
    found = check(facts())

    assert [each.code for each in found] == [
        "kind",
        "size_class",
        "country",
        "civilian",
        "contract",
        "consents",
        "amount",
        "months",
    ]
    assert all(each.passed for each in found)


@pytest.mark.parametrize(
    ("given", "code"),
    [
        ({"kind": "public"}, "kind"),
        ({"staff_count": 300}, "size_class"),
        ({"staff_count": None}, "size_class"),
        ({"members": (Member(name="Far", country="US"),)}, "country"),
        ({"civilian": "no"}, "civilian"),
        ({"civilian": ""}, "civilian"),
        ({"contract": "no"}, "contract"),
        ({"consents": ("yes", "")}, "consents"),
        ({"gpu_hours": 4999}, "amount"),
        ({"gpu_hours": None}, "amount"),
        ({"months": 6}, "months"),
        ({"months": None}, "months"),
    ],
)
def test_each_condition_fails_alone_and_says_why(given, code):
    found = check(facts(**given))

    failed = [each for each in found if not each.passed]
    assert [each.code for each in failed] == [code]
    assert len(str(failed[0].sentence)) > 40


@pytest.mark.parametrize(
    ("country", "passed"),
    [("NL", True), ("LI", True), ("EG", True), ("CA", False), ("", False)],
)
def test_a_country_counts_when_its_association_is_whole(country, passed):
    found = check(facts(members=(Member(name="Theirs", country=country),)))

    assert {each.code: each.passed for each in found}["country"] is passed


def test_every_country_that_may_take_part_can_be_chosen():
    assert eligibility.countries() - set(COUNTRIES) == set()
    assert len(json.loads(ours.COUNTRIES.read_text())["eu"]) == 27


def test_a_factory_may_bring_its_own_list_of_countries(settings, tmp_path):
    settings.COUNTRIES = tmp_path / "ours.json"
    settings.COUNTRIES.write_text('{"eu": ["NL"], "horizon_europe": [], "digital_europe": []}')

    found = check(facts())

    assert [each.code for each in found if not each.passed] == ["country"]


@pytest.mark.parametrize(
    ("rules", "given", "code", "passed"),
    [
        ({"entry_level_only": ("sme",)}, {"experience": "some"}, "entry_level", False),
        ({"entry_level_only": ("sme",)}, {}, "entry_level", True),
        ({"only_in_eu_project": ("sme",)}, {}, "eu_project", False),
        ({"only_in_eu_project": ("sme",)}, {"is_eu_funded": True}, "eu_project", True),
        ({"needs_experience": True}, {}, "experience", False),
        ({"needs_experience": True}, {"experience": "some"}, "experience", True),
    ],
)
def test_conditions_of_some_modes_only(rules, given, code, passed):
    mode = ModeRules(code="x", min=5000, max=5000, kinds=("sme",), **rules)

    found = {each.code: each.passed for each in check(facts(rules=mode, **given))}

    assert found[code] == passed


# --- seed --------------------------------------------------------------------------------
def test_seeding_twice_changes_nothing():
    seed_modes()
    first = list(Mode.objects.values()), list(Form.objects.values())
    seed_modes()

    assert (list(Mode.objects.values()), list(Form.objects.values())) == first
    assert len(first[0]) == 6


@pytest.fixture
def folder(tmp_path):
    shutil.copytree(DATA, tmp_path / "data")
    seed_modes(tmp_path / "data")
    return tmp_path / "data"


def rewrite(path, change):
    written = json.loads(path.read_text(encoding="utf-8"))
    change(written)
    path.write_text(json.dumps(written), encoding="utf-8")


def test_a_form_in_use_is_never_changed(folder):
    a_draft(mode=a_seeded_mode())
    before = Form.objects.get(code="short").definition
    rewrite(folder / "forms" / "short-1.json", lambda form: form["sections"].pop())

    with pytest.raises(Refused) as refused:
        seed_modes(folder)

    assert refused.value.code == "form_in_use"
    assert "higher version" in str(refused.value)
    assert Form.objects.get(code="short").definition == before


def test_a_form_nobody_uses_follows_its_file(folder):
    rewrite(folder / "forms" / "short-1.json", lambda form: form["sections"].pop())

    seed_modes(folder)

    assert len(Form.objects.get(code="short").rules.sections) == 3


def test_a_mode_that_is_no_longer_named_is_closed_and_a_closed_one_stays_so(folder):
    Mode.objects.filter(code="benchmark").update(is_open=False)
    rewrite(folder / "modes.json", lambda file: file["modes"].pop(0))

    seed_modes(folder)

    closed = Mode.objects.filter(is_open=False).values_list("code", flat=True)
    assert sorted(closed) == ["benchmark", "playground"]
