"""The statement of deletion says what is true, also when disks are away and runs are lost."""

import json
from datetime import timedelta

import pytest
import time_machine
from django.core.cache import cache
from django.utils import timezone

from fabriek.agreements import policy
from fabriek.agreements.models import Agreement, Statement
from fabriek.agreements.states import AGREEMENT
from fabriek.engines.base import Phase, Sighting
from fabriek.runs import actions, deletion, ended_agreements
from fabriek.runs.models import EndWarning, Run
from fabriek.runs.states import RunState
from fabriek.serve import doctor
from tests.agreements.policy_world import an_agreement
from tests.factories import a_case, a_person
from tests.runs.test_ended_agreements import DAY, HOUR, a_lab, a_lent_world, loop, running
from tests.runs.world import a_text, events, passes, seen_again

pytestmark = pytest.mark.django_db
ROW = {"prompt": "Mevrouw Jansen belt", "expected": "zorg", "answer": "werk"}
OPEN_TO_LEAVE = {"place": "open", "product": "model_weights", "duties": ["delete"]}


def ended(engine, run, phase=Phase.FAILED):
    engine.move(run.key, Sighting(phase))
    passes(engine)
    return seen_again(run)


def removed():
    return {row["name"] for row in Statement.objects.get().facts["removed"]}


# --- disks that are away ------------------------------------------------------------------
def test_nothing_is_stated_while_the_disk_is_away(engine, caplog):
    lent = a_lent_world()
    run = ended(engine, running(engine, lent.ask()))
    away = run.folder.parent.with_name("away")
    run.folder.parent.rename(away)
    lent.revoke()
    try:
        ended_agreements.tick()
        ended_agreements.tick()
        assert not Statement.objects.exists()
        assert caplog.text.count("Bring its disk back") == 1
    finally:
        away.rename(run.folder.parent)

    ended_agreements.tick()

    assert not (run.folder / "inputs/dataset").exists()
    assert removed() == {"inputs/dataset"}


def test_a_disk_that_goes_away_after_it_was_looked_at_is_not_called_empty(engine, monkeypatch):
    lent = a_lent_world()
    run = ended(engine, running(engine, lent.ask()))
    lent.revoke()
    away = run.folder.with_name("away")
    real = deletion.remove

    def first_away(run, name):
        run.folder.rename(away)
        real(run, name)

    with monkeypatch.context() as patched:
        patched.setattr(deletion, "remove", first_away)
        ended_agreements.tick()
    assert not Statement.objects.exists()
    away.rename(run.folder)

    with time_machine.travel(timezone.now() + HOUR):
        ended_agreements.tick()

    assert not (run.folder / "inputs/dataset").exists()
    assert removed() == {"inputs/dataset"}


def test_a_folder_that_an_operator_removed_is_settled_once_an_empty_one_says_so(engine):
    lent = a_lent_world()
    run = ended(engine, running(engine, lent.ask()))
    kept = run.folder.with_name("kept")
    run.folder.rename(kept)
    lent.revoke()
    ended_agreements.tick()
    assert not Statement.objects.exists()

    run.folder.mkdir()
    ended_agreements.tick()

    assert removed() == set()


def test_doctor_tells_of_a_statement_that_cannot_be_made(engine):
    lent = a_lent_world()
    run = ended(engine, running(engine, lent.ask()))
    run.folder.rename(run.folder.with_name("away"))
    lent.revoke()

    def told():
        ended_agreements.tick()
        return [one.said for one in doctor.examine() if one.what == "Statements of deletion"]

    assert told() == []
    with time_machine.travel(timezone.now() + 2 * DAY):
        assert told() == ["1 were not made a day after their agreement was over"]


def test_a_run_that_was_never_made_ready_has_no_folder_to_wait_for(engine):
    lent = a_lent_world()
    run = lent.ask()
    lent.revoke()
    passes(engine)
    assert not run.folder.exists()

    ended_agreements.tick()

    assert removed() == set()


# --- lost runs ----------------------------------------------------------------------------
@pytest.fixture
def lost(engine):
    lent = a_lent_world()
    run = running(engine, lent.ask())
    (run.folder / "checkpoints").mkdir()
    (run.folder / "checkpoints/one").write_text("learned")
    Run.objects.filter(pk=run.pk).update(state=RunState.LOST)
    lent.revoke()
    return run


def test_a_lost_run_that_turns_up_is_stopped_and_cleared_before_anything_is_stated(
    lost, engine
):
    ended_agreements.tick()
    ended_agreements.tick()
    assert not (lost.folder / "checkpoints").exists()
    assert not Statement.objects.exists()
    (lost.folder / "checkpoints").mkdir()
    (lost.folder / "checkpoints/two").write_text("learned")
    engine.move(lost.key, Sighting(Phase.RUNNING))

    for _ in range(4):
        loop(engine)

    assert seen_again(lost).state == RunState.CANCELLED
    assert not (lost.folder / "checkpoints").exists()
    told = Statement.objects.get().facts
    assert told["stopped"] == [lost.code]
    assert {row["name"]: row["files"] for row in told["removed"]} == {
        "inputs/dataset": 1,
        "checkpoints": 2,
    }


def test_one_that_never_turned_up_is_not_called_stopped(lost, engine):
    ended_agreements.tick()

    with time_machine.travel(timezone.now() + 31 * DAY):
        ended_agreements.tick()

    told = Statement.objects.get().facts
    assert told["stopped"] == []
    assert "lost" in told["remains"]
    assert removed() == {"inputs/dataset", "checkpoints"}


# --- who stopped it -----------------------------------------------------------------------
def test_a_run_that_another_agreement_stopped_is_not_told_as_stopped_by_this_one(engine):
    lent = a_lent_world()
    run = running(engine, lent.ask())
    owner, world = a_person(), lent.world
    other = a_text(a_case(lead=owner), owner)
    agreement = an_agreement(other.repository, world.case, place="shared", product="model_api")
    policy.decide(
        policy.Wish(
            moment="read",
            repository=other.repository,
            case=world.case,
            run=run.code,
            revision=1,
            on_behalf_of=world.person,
        )
    )
    lent.revoke()
    for _ in range(3):
        loop(engine)

    AGREEMENT.take("revoke", agreement, by=None, over_at=timezone.now(), reason="Misused.")
    ended_agreements.tick()

    stopped = {one.agreement_id: one.facts["stopped"] for one in Statement.objects.all()}
    assert stopped == {lent.agreement.pk: [run.code], agreement.pk: []}


# --- what people and recipes copy ---------------------------------------------------------
def test_all_folders_of_a_session_go_but_its_log_and_what_it_was_asked(engine):
    lent = a_lent_world(**OPEN_TO_LEAVE)
    run = running(engine, a_lab(lent))
    for name in ("hub", "keep", "work", "outputs", "inputs/mine", ".hidden"):
        (run.folder / name).mkdir()
        (run.folder / name / "data.csv").write_text("a,b")
    (run.folder / "loose.csv").write_text("a,b")
    (run.folder / "log").write_text("said")
    ended(engine, run, Phase.SUCCEEDED)
    lent.revoke()

    ended_agreements.tick()

    assert sorted(one.name for one in run.folder.iterdir()) == [
        ".preparing",
        "inputs",
        "log",
        "run.json",
    ]
    assert not list((run.folder / "inputs").iterdir())
    assert removed() == {"inputs/dataset", "hub", "outputs", "work", "inputs/*", "*"}
    assert "outputs" not in Statement.objects.get().facts["remains"]


def test_a_folder_called_log_is_no_log(engine):
    lent = a_lent_world(**OPEN_TO_LEAVE)
    run = running(engine, a_lab(lent))
    (run.folder / "log").mkdir()
    (run.folder / "log/data.csv").write_text("a,b")
    ended(engine, run)
    lent.revoke()

    ended_agreements.tick()

    assert not (run.folder / "log").exists()


def a_report(run, **more):
    (run.folder / "outputs").mkdir()
    figures = {"rows_trained": 3, "scores": {"loss_after": 0.5}, "device": "cpu"}
    (run.folder / "outputs/report.json").write_text(json.dumps(figures | more))
    events(run, {"at": 1.0, "kind": "sample", **ROW})
    return figures


def test_rows_that_a_report_shows_go_and_its_figures_stay(engine):
    lent = a_lent_world(duties=["delete"])
    run = running(engine, lent.ask())
    figures = a_report(run, wrong=[ROW])
    (run.folder / "outputs/.report.json.77.part").write_text(json.dumps([ROW]))
    (run.folder / "outputs/model").mkdir()
    (run.folder / "outputs/model/config.json").write_text("{}")
    ended(engine, run, Phase.SUCCEEDED)
    lent.revoke()

    ended_agreements.tick()

    assert json.loads((run.folder / "outputs/report.json").read_text()) == figures
    everything = b"".join(one.read_bytes() for one in run.folder.rglob("*") if one.is_file())
    assert b"Jansen" not in everything
    assert (run.folder / "outputs/model/config.json").exists()
    assert removed() == {"inputs/dataset", "outputs/report.json", "events.jsonl"}
    remains = Statement.objects.get().facts["remains"]
    assert "outputs" in remains
    assert "samples" not in remains


def test_a_report_without_rows_stays_as_it_is(engine):
    lent = a_lent_world(duties=["delete"])
    run = running(engine, lent.ask())
    a_report(run)
    ended(engine, run, Phase.SUCCEEDED)
    before = (run.folder / "outputs/report.json").stat()
    lent.revoke()

    ended_agreements.tick()

    assert (run.folder / "outputs/report.json").stat().st_ino == before.st_ino
    assert "outputs/report.json" not in removed()


def test_a_report_that_cannot_be_read_goes_whole(engine):
    lent = a_lent_world(duties=["delete"])
    run = running(engine, lent.ask())
    (run.folder / "outputs").mkdir()
    (run.folder / "outputs/report.json").write_text('{"wrong": [{"prompt": "Mevrouw Jans')
    ended(engine, run, Phase.SUCCEEDED)
    lent.revoke()

    ended_agreements.tick()

    assert not (run.folder / "outputs/report.json").exists()


def test_where_no_copies_need_go_the_statement_tells_of_the_rows(engine):
    lent = a_lent_world()
    run = running(engine, lent.ask())
    a_report(run, wrong=[ROW])
    ended(engine, run, Phase.SUCCEEDED)
    lent.revoke()

    ended_agreements.tick()

    assert "Jansen" in (run.folder / "outputs/report.json").read_text()
    assert "samples" in Statement.objects.get().facts["remains"]


# --- links --------------------------------------------------------------------------------
def test_a_link_in_place_of_the_inputs_does_not_reach_another_run(engine):
    lent = a_lent_world()
    run = running(engine, lent.ask())
    own = a_text(lent.world.case, lent.world.person)
    other = running(engine, lent.ask(inputs={"dataset": own}))
    (run.folder / "inputs").rename(run.folder / "aside")
    (run.folder / "inputs").symlink_to(other.folder / "inputs")
    ended(engine, run)
    lent.revoke()

    ended_agreements.tick()

    assert (other.folder / "inputs/dataset/text.txt").exists()
    assert not (run.folder / "inputs").is_symlink()


# --- queries ------------------------------------------------------------------------------
def ending_soon(lent, count):
    ends_at = timezone.now() + HOUR * 5
    for _ in range(count):
        an_agreement(lent.world.revision.repository, lent.world.case, ends_at=ends_at)
    Agreement.objects.update(ends_at=ends_at)


@pytest.mark.parametrize("more", [0, 2])
def test_agreements_that_end_soon_cost_a_pass_the_same(more, engine, django_assert_num_queries):
    lent = a_lent_world()
    run = running(engine, lent.ask(timeout_s=600))
    ending_soon(lent, more)
    Run.objects.filter(pk=run.pk).update(timeout_s=40 * 24 * 3600)
    ended_agreements.tick()
    assert EndWarning.objects.count() == 1 + more
    cache.clear()

    with django_assert_num_queries(9):
        ended_agreements.tick()


@pytest.mark.parametrize("more", [0, 2])
def test_and_next_to_nothing_when_no_run_is_at_work(more, engine, django_assert_num_queries):
    lent = a_lent_world()
    ending_soon(lent, more)

    with django_assert_num_queries(4):
        ended_agreements.tick()


def test_a_run_that_goes_on_from_one_that_read_the_data_is_warned(engine):
    lent = a_lent_world(**OPEN_TO_LEAVE)
    first = running(engine, a_lab(lent))
    Run.objects.filter(pk=first.pk).update(state=RunState.CANCELLED)
    wish = lent.world.wish(recipe="lab", knobs={"idle_minutes": 30}, timeout_s=3600, inputs={})
    second = actions.ask(
        wish, allocation=lent.world.allocation, by=lent.world.person, continues=first
    )
    Agreement.objects.update(ends_at=timezone.now() + timedelta(minutes=30))

    ended_agreements.tick()

    assert EndWarning.objects.get().run_id == second.pk
