"""The end of an agreement on data: asked again at the start, warned, stopped, cleared."""

from dataclasses import dataclass
from datetime import timedelta

import pytest
import time_machine
from django.utils import timezone, translation

from fabriek.agreements import statements
from fabriek.agreements.models import Agreement, Decided, Statement
from fabriek.agreements.states import AGREEMENT, AgreementState
from fabriek.engines.base import Phase, Sighting
from fabriek.engines.local import Local
from fabriek.kernel.errors import NotAllowed
from fabriek.kernel.models import Entry
from fabriek.kernel.words import moment_there
from fabriek.notices.letters import letter_for
from fabriek.runs import (
    actions,
    deletion,
    ended_agreements,
    reconcile,
    warnings_of_end,
    words,
)
from fabriek.runs.models import EndWarning, Removal, Run
from fabriek.runs.states import RunState
from fabriek.store.queries import the_store
from tests.agreements.policy_world import an_agreement
from tests.engines.waiting import eventually
from tests.factories import a_case, a_partner, a_person
from tests.runs.test_with_local_engine import program  # noqa: F401
from tests.runs.world import World, a_text, a_world, followed, passes, seen_again
from tests.threads import at_once, many_connections  # noqa: F401

DAY, HOUR, MINUTE = timedelta(days=1), timedelta(hours=1), timedelta(minutes=1)


@dataclass
class Lent:
    """A world in which the data is of another case, lent for thirty days."""

    world: World
    agreement: Agreement

    def ask(self, **changes) -> Run:
        return self.world.ask(**changes)

    def again(self) -> Agreement:
        return Agreement.objects.get(pk=self.agreement.pk)

    def revoke(self) -> None:
        agreement = self.again()
        now = timezone.now()
        AGREEMENT.take("revoke", agreement, by=None, over_at=now, reason="Misused.")


@pytest.fixture
def lent(db):
    return a_lent_world()


def a_lent_world(**terms):
    owner = a_person()
    world = a_world()
    world.revision = a_text(a_case(lead=owner), owner)
    terms = {"place": "shared", "product": "model_api"} | terms
    agreement = an_agreement(world.revision.repository, world.case, **terms)
    return Lent(world=world, agreement=agreement)


def running(engine, run):
    passes(engine)
    engine.move(run.key, Sighting(Phase.RUNNING))
    passes(engine)
    assert seen_again(run).state == RunState.RUNNING
    return seen_again(run)


def loop(engine):
    """Make one pass as the loop does."""
    ended_agreements.tick()
    reconcile.tick(engine)


# --- asking -------------------------------------------------------------------------------
def test_a_run_on_lent_data_remembers_by_which_agreement(lent):
    run = lent.ask()

    assert run.inputs.get().agreement == lent.agreement
    line = Decided.objects.get(run=run.code)
    assert (line.moment, line.allowed, line.code, line.agreement, line.text_sha256) == (
        "run",
        True,
        "agreed",
        lent.agreement,
        "a" * 64,
    )
    assert (line.person, line.case, line.revision) == (lent.world.person, lent.world.case, 1)


def test_a_run_that_could_outlast_the_agreement_is_refused_with_the_day(lent):
    Agreement.objects.update(ends_at=timezone.now() + HOUR)

    with pytest.raises(NotAllowed) as refused:
        lent.ask(timeout_s=3601)

    assert refused.value.code == "would_outlast"
    assert timezone.localtime(lent.again().ends_at).strftime("%H:%M") in str(refused.value)
    assert (Run.objects.count(), lent.world.held()) == (0, 0)
    assert Decided.objects.get().code == "would_outlast"
    assert lent.ask(timeout_s=3500).state == RunState.WAITING


def test_what_it_costs_is_not_told_to_who_may_not_use_the_data(lent):
    lent.revoke()

    with pytest.raises(NotAllowed) as refused:
        actions.price_for(lent.world.wish(), case=lent.world.case, by=lent.world.person)

    assert refused.value.code == "revoked"


# --- between asking and starting ----------------------------------------------------------
def test_one_that_was_revoked_before_its_turn_never_starts(lent, engine):
    run = lent.ask()
    lent.revoke()

    passes(engine)

    ended = seen_again(run)
    assert (ended.state, ended.reason) == (RunState.FAILED, "data_revoked")
    assert (lent.world.held(), lent.world.bill(run)) == (0, 0)
    assert not (run.folder / "inputs").exists()
    assert run.key not in engine.jobs
    assert [line.code for line in Decided.objects.filter(run=run.code).order_by("number")] == [
        "agreed",
        "revoked",
    ]


def test_one_whose_turn_comes_too_late_never_starts(lent, engine):
    run = lent.ask(timeout_s=7200)

    with time_machine.travel(lent.agreement.ends_at - HOUR):
        passes(engine)

    assert seen_again(run).reason == "data_would_outlast"


def test_the_data_is_laid_out_for_a_run_that_may_start(lent, engine):
    run = lent.ask()

    passes(engine)

    assert (run.folder / "inputs/dataset/text.txt").exists()
    moments = Decided.objects.filter(run=run.code).values_list("moment", flat=True)
    assert sorted(moments) == ["read", "run"]  # the second is the first, within the hour


def test_going_on_needs_the_agreement_too(lent, engine):
    run = running(engine, lent.ask())
    (run.folder / "checkpoints").mkdir()
    (run.folder / "checkpoints/one").write_text("learned")
    Run.objects.filter(pk=run.pk).update(state=RunState.FAILED)
    lent.revoke()

    with pytest.raises(NotAllowed) as refused:
        actions.go_on(seen_again(run), by=lent.world.person)

    assert refused.value.code == "revoked"


# --- warnings -----------------------------------------------------------------------------
def test_who_asked_is_warned_a_day_and_an_hour_before_once_each(lent, engine):
    run = running(engine, lent.ask(timeout_s=600))
    late = lent.agreement.ends_at - 2 * MINUTE
    Run.objects.filter(pk=run.pk).update(timeout_s=40 * 24 * 3600)

    for moment in (
        late - 2 * DAY,
        late - 20 * HOUR,
        late - 19 * HOUR,
        late - 30 * MINUTE,
        late,
    ):
        with time_machine.travel(moment):
            ended_agreements.tick()

    told = Entry.objects.filter(verb="runs.warn_of_end").order_by("pk")
    assert [entry.details["when"] for entry in told] == ["day", "hour"]
    (one,) = seen_again(run).warnings
    assert one["values"]["agreement"] == lent.agreement.code
    assert EndWarning.objects.count() == 2


@pytest.mark.parametrize(
    ("kept", "language", "said"),
    [
        ("2027-06-30T22:00:00+00:00", "en", "ends on 1 July 2027, 00:00 (Amsterdam, CEST),"),
        (
            "2027-12-31T23:00:00+00:00",
            "nl",
            "eindigt op 1 januari 2028, 00:00 (Amsterdam, CET)",
        ),
        ("2027-06-30 22:00", "en", "ends on 1 July 2027, 00:00 (Amsterdam, CEST),"),
    ],
)
def test_the_end_is_told_on_the_clock_of_the_reader(kept, language, said):
    """The last is as runs have it that were warned when it was told in UTC."""
    values = {"agreement": "G26-0001", "ends_at": kept}
    one = {
        "code": "agreement_ends",
        "msgid": warnings_of_end.ENDS_SOON_IN_UTC,
        "values": values,
    }

    with translation.override(language):
        for known in ({"G26-0001"}, ()):
            text = words.event_told(warnings_of_end.told(one, known))
            assert said in text
            assert ("G26-0001" in text) == bool(known)


def test_a_run_that_will_be_over_in_time_is_not_warned(lent, engine):
    running(engine, lent.ask(timeout_s=600))

    with time_machine.travel(lent.agreement.ends_at - 2 * HOUR):
        ended_agreements.tick()

    assert not EndWarning.objects.exists()


def test_a_run_that_a_later_agreement_covers_is_not_warned(lent, engine):
    run = running(engine, lent.ask(timeout_s=600))
    Run.objects.filter(pk=run.pk).update(timeout_s=40 * 24 * 3600)
    ends_at = lent.agreement.ends_at + 60 * DAY
    an_agreement(lent.agreement.repository, lent.world.case, ends_at=ends_at)

    with time_machine.travel(lent.agreement.ends_at - 2 * HOUR):
        ended_agreements.tick()

    assert not EndWarning.objects.exists()


def test_what_a_recipe_warns_of_does_not_wipe_our_warning_away(lent, engine):
    run = running(engine, lent.ask(timeout_s=600))
    Run.objects.filter(pk=run.pk).update(timeout_s=40 * 24 * 3600)
    with time_machine.travel(lent.agreement.ends_at - HOUR):
        ended_agreements.tick()

    (run.folder / "events.jsonl").write_text(
        '{"at": 1.0, "kind": "warning", "code": "x", "text": "Slow."}\n'
        '{"at": 2.0, "kind": "stage", "name": "Learning"}\n'
    )
    passes(engine)

    assert [one["code"] for one in seen_again(run).warnings] == ["agreement_ends", "x"]


# --- the end ------------------------------------------------------------------------------
def test_at_the_end_a_run_is_stopped_and_its_copies_go(lent, engine):
    run = running(engine, lent.ask())
    (run.folder / "checkpoints").mkdir()
    (run.folder / "checkpoints/one").write_text("learned")

    with time_machine.travel(lent.agreement.ends_at + MINUTE) as clock:
        loop(engine)
        assert lent.again().state == AgreementState.ENDED
        assert (run.folder / "inputs/dataset/text.txt").exists()  # it may still be reading
        clock.shift(MINUTE)
        loop(engine)
        loop(engine)

    ended = seen_again(run)
    assert (ended.state, ended.reason) == (RunState.CANCELLED, "data_ended")
    assert not (run.folder / "inputs/dataset").exists()
    assert not (run.folder / "checkpoints").exists()
    told = Statement.objects.get().facts
    assert told["stopped"] == [run.code]
    assert [(row["run"], row["name"], row["files"]) for row in told["removed"]] == [
        (run.code, "inputs/dataset", 1),
        (run.code, "checkpoints", 1),
    ]
    removed = told["removed"][0]
    revision = lent.world.revision
    assert removed["digest"] == revision.digest
    assert removed["reference"] == f"{revision.repository.code}@1"
    assert removed["size_bytes"] == revision.size_bytes


def test_the_statement_is_sealed_and_in_the_journal(lent, engine):
    run = running(engine, lent.ask())
    lent.revoke()
    for _ in range(3):
        loop(engine)
    assert seen_again(run).reason == "data_revoked"

    made = Statement.objects.get()

    assert statements.is_genuine(made)
    entry = Entry.objects.get(verb="agreements.state_deletion")
    assert entry.details == {"sha256": made.sha256}
    made.facts["removed"] = []
    assert not statements.is_genuine(made)


def test_the_bytes_of_the_owner_stay(lent, engine):
    run = running(engine, lent.ask())
    lent.revoke()
    for _ in range(3):
        loop(engine)
    assert not (run.folder / "inputs/dataset").exists()

    from_store = a_text_of(lent.world.revision)

    assert from_store.startswith("De assistent")


def test_runs_on_other_data_are_left_alone(lent, engine):
    own = a_text(lent.world.case, lent.world.person)
    other = running(engine, lent.ask(inputs={"dataset": own}))
    lent.revoke()

    for _ in range(3):
        loop(engine)

    assert seen_again(other).state == RunState.RUNNING
    assert (other.folder / "inputs/dataset/text.txt").exists()
    assert Statement.objects.get().facts["removed"] == []


def test_another_agreement_on_the_same_data_lets_everything_stay(lent, engine):
    run = running(engine, lent.ask())
    later = an_agreement(lent.agreement.repository, lent.world.case)
    lent.revoke()

    for _ in range(3):
        loop(engine)

    assert seen_again(run).state == RunState.RUNNING
    assert (run.folder / "inputs/dataset/text.txt").exists()
    assert Statement.objects.get().facts["covered_by"] == later.code


def test_an_agreement_that_is_for_others_is_not_named(lent, engine):
    only = a_partner(lent.world.case).organisation
    repository = lent.agreement.repository
    an_agreement(repository, lent.world.case, organisations=[only], with_leader=False)
    lent.revoke()

    loop(engine)

    facts = Statement.objects.get().facts
    assert (facts["covered_by"], facts["remains"][-1]) == ("", "covered")


def test_a_narrower_text_in_its_place_stops_what_it_does_not_allow(lent, engine):
    run = running(engine, lent.ask())
    an_agreement(lent.agreement.repository, lent.world.case, purposes=["evaluation"])
    AGREEMENT.take("replace", lent.again(), by=None, over_at=timezone.now())

    for _ in range(3):
        loop(engine)

    assert seen_again(run).state == RunState.CANCELLED


def test_killed_in_the_middle_it_goes_on_and_still_knows_what_was_there(
    lent, engine, monkeypatch
):
    runs = [lent.ask(), lent.ask()]
    for run in runs:
        running(engine, run)
    lent.revoke()
    loop(engine)
    real, calls = deletion.remove, []

    def killed(run, name):
        calls.append(name)
        real(run, name)
        if len(calls) == 1:
            raise KeyboardInterrupt

    monkeypatch.setattr(deletion, "remove", killed)
    with pytest.raises(KeyboardInterrupt):
        loop(engine)
    assert not Statement.objects.exists()
    assert Removal.objects.filter(done_at=None).count() == 2

    loop(engine)

    told = Statement.objects.get().facts["removed"]
    assert [(row["run"], row["files"]) for row in told] == [(run.code, 1) for run in runs]
    assert not any((run.folder / "inputs/dataset").exists() for run in runs)


def test_what_cannot_be_removed_is_not_called_removed(lent, engine, monkeypatch):
    running(engine, lent.ask())
    lent.revoke()
    loop(engine)

    def refuses(_run, _name):
        raise PermissionError("not ours")

    with monkeypatch.context() as patched:
        patched.setattr(deletion, "remove", refuses)
        loop(engine)
        loop(engine)
    assert not Statement.objects.exists()
    assert Removal.objects.get().trouble == "not ours"

    with time_machine.travel(timezone.now() + HOUR):
        loop(engine)

    assert Removal.objects.get().done_at
    assert Statement.objects.exists()


def test_a_link_that_a_job_left_is_removed_and_not_what_it_points_at(lent, engine, tmp_path):
    run = running(engine, lent.ask())
    secret = tmp_path / "elsewhere"
    secret.mkdir()
    (secret / "kept.txt").write_text("kept")
    (run.folder / "checkpoints").symlink_to(secret)
    lent.revoke()

    for _ in range(3):
        loop(engine)

    assert (secret / "kept.txt").read_text() == "kept"
    assert not (run.folder / "checkpoints").is_symlink()


def test_an_agreement_that_nobody_used_is_settled_at_once(lent):
    lent.revoke()

    ended_agreements.tick()

    assert Statement.objects.get().facts["removed"] == []


@pytest.mark.django_db(transaction=True)
def test_two_loops_at_once_end_it_once(many_connections, engine):  # noqa: F811
    lent = a_lent_world()
    run = running(engine, lent.ask())
    lent.revoke()
    loop(engine)
    reconcile.tick(engine)

    at_once(ended_agreements.tick, ended_agreements.tick)

    assert Statement.objects.count() == 1
    assert Entry.objects.filter(verb="agreements.state_deletion").count() == 1
    assert Removal.objects.filter(run=run, done_at=None).count() == 0
    assert Entry.objects.filter(verb="runs.stop_for_data").count() == 1


# --- sessions of people -------------------------------------------------------------------
def a_lab(lent, **more):
    return lent.ask(recipe="lab", knobs={"idle_minutes": 30}, timeout_s=3600, **more)


def test_a_session_needs_data_that_may_leave(db):
    lent = a_lent_world(place="shared", product="model_weights")

    with pytest.raises(NotAllowed) as refused:
        a_lab(lent)

    assert refused.value.code == "stays_here"


def test_what_was_made_in_a_session_goes_where_copies_must_be_deleted(db, engine):
    lent = a_lent_world(place="open", product="model_weights", duties=["delete"])
    run = running(engine, a_lab(lent))
    (run.folder / "work").mkdir()
    (run.folder / "work/copy.txt").write_text("De assistent")
    lent.revoke()

    for _ in range(3):
        loop(engine)

    assert not (run.folder / "work").exists()


def test_a_session_that_began_with_those_files_is_cleared_too(db, engine):
    lent = a_lent_world(place="open", product="model_weights", duties=["delete"])
    first = running(engine, a_lab(lent))
    Run.objects.filter(pk=first.pk).update(state=RunState.CANCELLED)
    wish = lent.world.wish(recipe="lab", knobs={"idle_minutes": 30}, timeout_s=3600, inputs={})
    second = actions.ask(
        wish, allocation=lent.world.allocation, by=lent.world.person, continues=first
    )
    running(engine, second)
    (second.folder / "work").mkdir()
    (second.folder / "work/copy.txt").write_text("De assistent")
    lent.revoke()

    for _ in range(3):
        loop(engine)

    assert seen_again(second).state == RunState.CANCELLED
    assert not (second.folder / "work").exists()


def test_nobody_begins_with_files_whose_data_is_closed_by_now(db, engine):
    lent = a_lent_world(place="open", product="model_weights")
    first = running(engine, a_lab(lent))
    Run.objects.filter(pk=first.pk).update(state=RunState.CANCELLED)
    lent.revoke()
    wish = lent.world.wish(recipe="lab", knobs={"idle_minutes": 30}, timeout_s=3600, inputs={})

    with pytest.raises(NotAllowed) as refused:
        actions.ask(
            wish, allocation=lent.world.allocation, by=lent.world.person, continues=first
        )

    assert refused.value.code == "revoked"


# --- for real -----------------------------------------------------------------------------
READS = """
import pathlib, sys, time
folder = pathlib.Path(sys.argv[1])
while True:
    (folder / "inputs" / "dataset" / "text.txt").read_text()
    (folder / "outputs").mkdir(exist_ok=True)
    (folder / "outputs" / "seen").write_text("yes")
    time.sleep(0.05)
"""


def test_a_program_that_reads_is_stopped_when_the_agreement_is_revoked(
    lent,
    tmp_path,
    program,  # noqa: F811
):
    machine = Local(tmp_path / "engine", gpus=1, grace_s=2, beat_s=0.1)
    program(READS)
    run = followed(machine, lent.ask(), RunState.RUNNING)
    eventually((run.folder / "outputs/seen").exists, within_s=20)
    lent.revoke()

    ended_agreements.tick()
    ended = followed(machine, run, RunState.CANCELLED)
    ended_agreements.tick()

    assert ended.reason == "data_revoked"
    assert machine.look([run.key])[run.key].phase == Phase.CANCELLED
    assert not (run.folder / "inputs/dataset").exists()
    assert not (run.folder / "outputs").exists()
    told = Statement.objects.get().facts
    assert {row["what"] for row in told["removed"]} == {"inputs", "outputs"}
    assert lent.world.held() == 0


def a_text_of(revision):
    with the_store().open(revision.files.get().blob) as content:
        return content.read().decode()


# --- mail ---------------------------------------------------------------------------------
def test_who_asked_and_both_parties_get_mail(lent, engine):
    run = running(engine, lent.ask(timeout_s=600))
    Run.objects.filter(pk=run.pk).update(timeout_s=40 * 24 * 3600)
    with time_machine.travel(lent.agreement.ends_at - HOUR):
        ended_agreements.tick()
    lent.revoke()
    for _ in range(3):
        loop(engine)

    letters = {entry.verb: letter_for(entry) for entry in Entry.objects.order_by("pk")}

    asker, owner = lent.world.person.email, lent.again().repository.case.created_by.email
    assert letters["runs.warn_of_end"].to == (asker,)
    assert lent.agreement.code in letters["runs.warn_of_end"].text
    assert moment_there(lent.agreement.ends_at) in letters["runs.warn_of_end"].text
    assert letters["runs.stop_for_data"].to == (asker,)
    assert set(letters["agreements.state_deletion"].to) == {asker, owner}
    assert (
        f"/data/statements/{lent.agreement.code}/" in letters["agreements.state_deletion"].text
    )
