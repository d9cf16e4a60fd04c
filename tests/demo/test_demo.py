"""The demo's journey without its trainings: whole, broken off, doubted, with own data."""

import io
import json

import pytest
from django.core.management import CommandError, call_command
from django.utils import translation
from rich.console import Console

from fabriek.access.models import Application
from fabriek.allocations.models import Allocation, Line
from fabriek.cases.models import Case, Partner
from fabriek.datasets.models import Dataset
from fabriek.demo import cast, journey, story, summary
from fabriek.demo.management.commands.demo import Demo
from fabriek.kernel.models import Entry
from fabriek.people.models import Organisation, Person
from fabriek.registry import actions as registry
from fabriek.registry.models import Model
from fabriek.runs.actions import Wish
from fabriek.runs.models import Run
from fabriek.serve.seed import seed_all
from fabriek.store.models import Revision
from tests.registry.worlds import REPORT, SCORES, plain_model

pytestmark = pytest.mark.django_db
KINDS = (Person, Organisation, Case, Partner, Application, Allocation, Dataset, Revision, Run)


@pytest.fixture(autouse=True)
def home(settings, tmp_path):
    settings.HOME = tmp_path
    # Passwords are made to be slow; here they only have to be right.
    settings.PASSWORD_HASHERS = ["django.contrib.auth.hashers.MD5PasswordHasher"]
    seed_all()
    with translation.override("nl"):
        yield tmp_path


def up_to_hours(people):
    case = journey.propose(people)
    journey.build_consortium(case, people)
    journey.ask_advice(case, people)
    application = journey.judge(journey.apply(case, people), people)
    return case, journey.open_hours(application, people)


def up_to_a_run():
    people = cast.gather()
    case, allocation = up_to_hours(people)
    text = journey.push(
        case, title=story.TEXT_TITLE, files=story.TEXT_FILES, by=people.applicant
    )
    wish = Wish(recipe="pretrain_lm", knobs=story.PRETRAIN_KNOBS, inputs={"dataset": text})
    return case, journey.ask_run(wish, allocation=allocation, by=people.applicant)


def counted():
    return [kind.objects.count() for kind in KINDS]


def lines():
    return list(Line.objects.order_by("pk").values_list("kind", "gpu_seconds"))


def as_trained(run):
    """Leave what a training leaves, without training."""
    Run.objects.filter(pk=run.pk).update(state="succeeded", scores=SCORES)
    plain_model(run.folder / "outputs/model")
    (run.folder / "run.json").write_text("{}")
    (run.folder / "outputs/report.json").write_text(json.dumps(REPORT))
    run.refresh_from_db()
    registry.register(run)
    return run


def demo(*words):
    call_command("demo", "--exit", *words)


# --- the journey -------------------------------------------------------------------------
def test_the_journey_leads_to_a_run_that_is_paid_for():
    case, run = up_to_a_run()

    assert run.case == case
    assert run.state == "waiting"
    assert Application.objects.get().state == "accepted"
    assert [kind for kind, _ in lines()] == ["grant", "hold"]
    assert Entry.objects.filter(thread=case.code, verb="runs.ask").exists()


def lent():
    people = cast.gather()
    case, _allocation = up_to_hours(people)
    data = journey.push(
        case, title=story.ROWS_TITLE, files=story.ROWS_FILES, by=people.applicant
    )
    return journey.lend(data, people)


def test_the_institute_uses_the_data_under_an_agreement_that_both_signed():
    made = lent()

    assert made.state == "in_force"
    assert [each.organisation.name for each in made.signatures.order_by("pk")] == [
        story.COMPANY.name,
        story.INSTITUTE.name,
    ]
    assert made.purposes == ["evaluation", "research"]
    assert made.messages.get().text == story.STUDY_ANSWER


def test_lending_twice_doubles_nothing():
    made = lent()
    before = counted(), Entry.objects.count()

    assert lent() == made
    assert (counted(), Entry.objects.count()) == before


def test_the_journey_twice_doubles_nothing():
    up_to_a_run()
    before = counted(), lines(), Entry.objects.count()

    up_to_a_run()

    assert (counted(), lines(), Entry.objects.count()) == before


STEPS = (
    "propose",
    "build_consortium",
    "ask_advice",
    "apply",
    "judge",
    "open_hours",
    "push",
    "ask_run",
)


@pytest.mark.parametrize("step", STEPS)
def test_a_journey_that_broke_off_goes_on_where_it_was(monkeypatch, step):
    real = getattr(journey, step)

    def breaks_off(*given, **named):
        real(*given, **named)
        raise KeyboardInterrupt

    monkeypatch.setattr(journey, step, breaks_off)
    with pytest.raises(KeyboardInterrupt):
        up_to_a_run()
    monkeypatch.undo()

    _case, run = up_to_a_run()

    assert (
        Case.objects.count() == Application.objects.count() == Allocation.objects.count() == 1
    )
    assert Revision.objects.count() == Run.objects.count() == 1
    assert [kind for kind, _ in lines()] == ["grant", "hold"]
    assert Run.objects.get() == run


def test_an_assessment_that_broke_off_halfway_goes_on(monkeypatch):
    people = cast.gather()
    monkeypatch.setattr(journey.access, "award", _break_off)
    with pytest.raises(KeyboardInterrupt):
        up_to_hours(people)
    halfway = Application.objects.get().state
    monkeypatch.undo()

    up_to_hours(people)

    assert (halfway, Application.objects.get().state) == ("feasible", "accepted")


def _break_off(*given, **named):
    raise KeyboardInterrupt


# --- who plays ---------------------------------------------------------------------------
def test_sign_ins_are_for_the_owner_s_eyes_and_stay_the_same(home):
    first = cast.sign_ins()
    again = cast.sign_ins()

    assert first == again
    assert set(first) == {role.email for role in story.ROLES}
    assert len(set(first.values())) == len(story.ROLES)
    assert (home / cast.SIGN_INS).stat().st_mode & 0o777 == 0o600


def test_everybody_can_sign_in_with_the_password_of_the_file(client):
    people = cast.gather()

    passwords = cast.sign_ins()
    for person in (people.applicant, people.staff, people.funder):
        assert person.check_password(passwords[person.email])
    assert people.staff.is_factory_staff
    assert people.assessor.is_assessor
    assert people.funder.is_funder


def test_a_lost_file_of_sign_ins_gives_everybody_a_new_password(home):
    cast.gather()
    before = cast.sign_ins()
    (home / cast.SIGN_INS).unlink()

    people = cast.gather()

    after = cast.sign_ins()
    assert before != after
    assert Person.objects.get(pk=people.partner.pk).check_password(after[people.partner.email])
    assert Person.objects.count() == len(story.ROLES)


# --- whether it is true ------------------------------------------------------------------
def test_the_end_is_doubted_where_nothing_happened(home):
    case, run = up_to_a_run()
    found = summary.read_back(case, (as_trained(run),))

    assert summary.doubts(found) == [f"{run} has a bill", f"{run} wrote figures"]
    assert found.card == home / "demo" / Model.objects.get().code / "README.md"
    assert (found.card.parent / "model.safetensors").is_file()
    assert found.score("before") == "4.2%"
    assert found.score("after") == "91.7%"
    assert found.gpu_seconds_held > 0
    assert found.gpu_seconds_spent == 0


def test_a_model_that_was_never_scored_is_doubted():
    case, run = up_to_a_run()
    as_trained(run)
    Model.objects.update(scores={})

    found = summary.read_back(case, (run,))

    assert "the model was scored" in summary.doubts(found)
    assert found.score("after") == "not measured"


def test_a_case_that_was_closed_since_is_doubted():
    case, run = up_to_a_run()
    as_trained(run)
    Case.objects.update(state="closed")

    assert "the case is open" in summary.doubts(summary.read_back(case, (run,)))


# --- one's own data ----------------------------------------------------------------------
def test_a_file_that_is_not_there_is_said_before_anything_is_done(tmp_path):
    path = tmp_path / "nowhere.jsonl"

    with pytest.raises(CommandError, match=f"There is no file {path}"):
        demo("--data", str(path))

    assert not Case.objects.exists()


def test_a_broken_file_is_named_with_its_line_and_trains_nothing(tmp_path):
    path = tmp_path / "mijn.jsonl"
    path.write_text('{"prompt": "a", "completion": "b"}\n{broken\n')

    with pytest.raises(CommandError, match=r"“mijn\.jsonl” is niet bewaard\. Regel 2 "):
        demo("--data", str(path))

    assert not Run.objects.exists()


def test_an_empty_file_is_said_and_trains_nothing(tmp_path):
    path = tmp_path / "leeg.jsonl"
    path.write_text("")

    with pytest.raises(CommandError, match=r"“leeg\.jsonl” is leeg \(0 bytes\)"):
        demo("--data", str(path))

    assert not Run.objects.exists()


# --- on which engine ---------------------------------------------------------------------
def test_an_engine_that_the_settings_do_not_have_is_refused():
    with pytest.raises(CommandError) as refusal:
        demo("--engine", "slurm")

    assert str(refusal.value) == (
        "The engine here is local: say `fabriek demo --engine slurm`, "
        "or set FABRIEK_ENGINE=slurm."
    )
    assert not Case.objects.exists()


@pytest.mark.parametrize(
    ("engine", "traces"), [("slurm", "jobs/key"), ("local", "slurm/jobs/key")]
)
def test_a_home_whose_runs_another_engine_knows_is_refused(settings, engine, traces):
    settings.ENGINE = engine
    (settings.ENGINE_HOME / traces).mkdir(parents=True)

    with pytest.raises(CommandError, match="was made with another engine"):
        demo("--engine", engine)

    assert not Case.objects.exists()


def test_a_slurm_that_does_not_answer_is_said_before_anything_is_done(
    settings, tmp_path, monkeypatch
):
    settings.ENGINE = "slurm"
    monkeypatch.setenv("PATH", str(tmp_path))  # no squeue here: a wrong address takes a minute

    with pytest.raises(CommandError, match=r"^No Slurm answers \("):
        demo("--engine", "slurm")

    assert not Case.objects.exists()


def test_a_log_that_shows_no_bars_is_told_each_step_as_it_begins():
    told = io.StringIO()

    with Demo(Console(file=told), None).step("People"):
        assert told.getvalue() == "People\n"
