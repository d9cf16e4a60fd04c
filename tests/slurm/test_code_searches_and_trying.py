"""What came later than recipes, on a real Slurm: own code, searches, and asking a model."""

import shutil
from importlib import import_module

import pytest

from fabriek.registry import actions as registry
from fabriek.runs import actions, folders, rules
from fabriek.runs.states import RunState
from fabriek.serve import isolation
from fabriek.sweeps import queries
from fabriek.sweeps.states import SweepState
from fabriek.trying import actions as trying
from fabriek.trying import exchange, following
from fabriek_recipes.try_model.knobs import READY
from tests.engines import strangers
from tests.engines.waiting import eventually
from tests.factories import an_organisation, staff
from tests.programs.conftest import sent, wished
from tests.registry.worlds import a_consortium, a_finished_run, some_data
from tests.runs.world import a_text, followed, over, passes, seen_again
from tests.slurm.accounting import held_by
from tests.slurm.test_isolation import (  # noqa: F401  fixtures
    cluster,
    factory,
    neighbour,
    place,
    world,
)
from tests.sweeps.searching import RATE, again, begun, ticks
from tests.sweeps.test_real import KNOBS, TEXTS

pytestmark = [pytest.mark.slurm, pytest.mark.slow]
PATIENCE_S = 90


# --- own code ----------------------------------------------------------------------------
# Says who it is and what it can read; then learns until it is asked to stop, and goes on.
LEARNS = """
import getpass, json, os, pathlib, pwd, signal, sys
print("as", pwd.getpwuid(os.getuid()).pw_name)
print("own", len((pathlib.Path(os.environ["FABRIEK_DATA"]) / "text.txt").read_text()))
for path in sys.argv[1:]:
    try:
        pathlib.Path(path).stat()
        print("saw", os.listdir(path) if os.path.isdir(path) else open(path).read())
    except OSError as error:
        print("refused", type(error).__name__)
kept = pathlib.Path(os.environ["FABRIEK_CHECKPOINTS"]) / "step"
begin = int(kept.read_text()) if kept.exists() else 0
print("from", begin, flush=True)
signal.pthread_sigmask(signal.SIG_BLOCK, {signal.SIGTERM})
with open(os.environ["FABRIEK_FIGURES"], "a", buffering=1) as figures:
    for step in range(begin, begin + 10**6):
        print(json.dumps({"step": step, "loss": 1 / (step + 1)}), file=figures)
        if begin:
            break
        if signal.sigtimedwait({signal.SIGTERM}, 0.1):
            kept.write_text(str(step + 1))
            sys.exit(0)
(pathlib.Path(os.environ["FABRIEK_OUTPUT"]) / "metrics.json").write_text('{"loss": 0.5}')
"""


def test_own_code_runs_as_its_case_reads_nothing_of_another_and_goes_on_where_it_was(
    world,  # noqa: F811
    neighbour,  # noqa: F811
    machine,
    factory,  # noqa: F811
):
    factory.OWN_CODE = True
    theirs = neighbour.ask()
    folders.prepare(theirs)
    secrets = (theirs.folder, theirs.folder / "inputs/dataset/text.txt", factory.RUNS_HOME)
    assert secrets[1].read_text()
    command = " ".join(["python", "learns.py", *map(str, secrets)])
    wish = wished(
        world,
        sent(world, {"learns.py": LEARNS}),
        knobs={"command": command},
        inputs={"dataset": world.revision},
    )
    first = actions.ask(wish, allocation=world.allocation, by=world.person)
    eventually(lambda: _figures(machine, first) > 3, within_s=PATIENCE_S)
    assert rules.is_pausable(seen_again(first))
    actions.pause(seen_again(first), by=world.person)
    paused = over(machine, first, within_s=PATIENCE_S)

    ended = over(machine, actions.go_on(paused, by=world.person), within_s=PATIENCE_S)

    assert (paused.state, paused.reason) == (RunState.CANCELLED, "paused")
    assert (ended.state, ended.exit_code) == (RunState.SUCCEEDED, 0), folders.log_tail(ended)
    begin = (paused.folder / "checkpoints/step").read_text()
    account = world.case.unix_account
    for run, since in ((paused, "0"), (ended, begin)):
        who, own, *tries, start = folders.log_tail(run).splitlines()
        assert (who, own) == (f"as {account}", "own 2200")
        assert tries == ["refused PermissionError"] * len(secrets)
        assert start == f"from {since}"
        assert world.bill(run) == run.gpu_seconds_used == run.elapsed_s
    assert ended.scores == {"loss": 0.5}
    assert world.held() == 0


def _figures(machine, run):
    passes(machine)
    return run.metrics.filter(name="loss").count()


# --- searches ----------------------------------------------------------------------------
def test_a_search_goes_on_from_checkpoints_and_stays_within_its_budget(
    world,  # noqa: F811
    machine,
):
    text = a_text(world.case, world.person, text=TEXTS)
    wish = {"knobs": KNOBS, "inputs": {"dataset": text}, "ranges": [RATE], "trials": 4}
    # Enough to promise two runs their ten minutes each, and no third before one has ended.
    sweep = begun(world, **wish, halving=2, at_once=4, gpu_seconds_budget=1500)
    committed, at_once = [], []

    def is_over():
        ticks(machine)
        seen = queries.board(sweep)
        committed.append(seen.committed)
        at_once.append(seen.living)
        return not again(sweep).is_unfinished

    eventually(is_over, within_s=2 * PATIENCE_S)

    ended, board = again(sweep), queries.board(sweep)
    runs = [part.run for part in board.parts.values()]
    assert (ended.state, ended.score) == (SweepState.DONE, "loss"), (ended.reason, ended.told)
    assert [run.state for run in runs] == [RunState.SUCCEEDED] * 6
    for second in (part for part in board.parts.values() if part.round == 1):
        before, after = _steps(board.parts[second.trial.number, 0].run), _steps(second.run)
        assert min(len(before), len(after)) > 1
        assert before + after == list(range(1, after[-1] + 1))  # none twice, none left out
    assert max(committed) <= sweep.gpu_seconds_budget
    assert max(at_once) == 2
    held = held_by(*(run.key for run in runs), stretches=len(runs))
    assert {run.key: [world.bill(run)] for run in runs} == held
    assert board.spent == sum(map(world.bill, runs))
    assert world.held() == 0


def _steps(run):
    return list(run.metrics.filter(name="loss").order_by("step").values_list("step", flat=True))


# --- asking a model ----------------------------------------------------------------------
PROMPT, TOKENS = "Er brandt iets.", 24


@pytest.fixture
def tried(db, factory, cluster, machine, tmp_path):  # noqa: F811
    """Give a model that answers, made from a base that answers otherwise, and who may ask."""
    speaking = import_module("tests.slurm.speaking")  # only now, as it imports torch
    base, tuned = speaking.two_models(tmp_path)
    case, _lead, member = a_consortium()
    opened = registry.bring_in(
        shutil.copytree(base, tmp_path / "brought"),
        title="Klein basismodel",
        licence="apache-2.0",
        organisation=an_organisation(),
        by=staff(),
    )
    factory.UNIX_ACCOUNTS = False  # what it was made by was before them
    made = a_finished_run(case=case, data=[some_data(case)], base=opened)
    shutil.rmtree(made.folder / "outputs/model")
    shutil.copytree(tuned, made.folder / "outputs/model")
    made.allocation.account = cluster.account
    made.allocation.save()
    model = registry.register(made)
    factory.UNIX_ACCOUNTS = True
    isolation.close_doors()
    told = {"model": tuned, "base": base}
    yield (
        model,
        member,
        {side: speaking.said(folder, PROMPT, tokens=TOKENS) for side, folder in told.items()},
    )
    for name in (case.unix_account, *(run.unix_account for run in case.runs.all())):
        strangers.remove(name)


def test_a_model_and_its_base_answer_and_what_was_said_goes_with_the_session(tried, machine):
    model, member, expected = tried
    allocation = model.run.allocation
    run = trying.start(model, trying.Wish(minutes=30), allocation=allocation, by=member)
    followed(machine, run, RunState.RUNNING, within_s=PATIENCE_S)
    eventually(lambda: _is_ready(machine, run), within_s=PATIENCE_S)
    run = seen_again(run)

    number = trying.ask(run, trying.Given(prompt=PROMPT, tokens_max=TOKENS), by=member)

    told = eventually(lambda: _whole(run, number), within_s=PATIENCE_S)
    answers = run.folder / "answers.jsonl"
    assert {side: said.text.strip() for side, said in told.items()} == expected
    assert expected["model"] != expected["base"]
    assert run.unix_account == f"{run.case.unix_account}-l"
    assert answers.stat().st_uid == strangers.uid(run.unix_account)
    trying.end(run, by=member)
    ended = over(machine, run, within_s=PATIENCE_S)
    following.tick()
    assert (ended.state, ended.reason) == (RunState.CANCELLED, "cancelled")
    assert 0 < ended.gpu_seconds_used < 1800
    left = {path.name for path in run.folder.iterdir()}
    assert not {"questions.jsonl", "answers.jsonl"} & left


def _is_ready(machine, run):
    passes(machine)
    found = seen_again(run)
    assert found.is_unfinished, (found.state, found.reason, folders.log_tail(found))
    return found.stage == READY


def _whole(run, number):
    talk = exchange.read(run)
    return talk.said[number] if talk.is_over(number, {"model", "base"}) else None
