"""How tests of searches go on: ask for one, let its runs end with a score, pass after pass."""

from fabriek.engines.base import Phase, Sighting
from fabriek.runs.models import Run
from fabriek.runs.states import UNFINISHED
from fabriek.sweeps import actions, queries, stepping
from fabriek.sweeps.models import Sweep
from fabriek.sweeps.ranges import Given
from tests.runs.world import events, passes

HOUR = 3600
RATE = Given(name="learning_rate", low=0.0001, high=0.01, log=True)


def a_wish(world, **changes):
    wanted = {
        "recipe": "pretrain_lm",
        "knobs": {"size": "tiny"},
        "inputs": {"dataset": world.revision},
        "ranges": [RATE],
        "gpu_seconds_budget": 20 * HOUR,
        "trials": 9,
        "at_once": 16,
    }
    return actions.Wish(**wanted | changes)


def begun(world, **changes) -> Sweep:
    return actions.start(a_wish(world, **changes), allocation=world.allocation, by=world.person)


def again(sweep) -> Sweep:
    return queries.with_facts(Sweep.objects.all()).get(pk=sweep.pk)


def ticks(engine, times=1):
    """Do what the loop does of it: follow runs, then move searches on."""
    for _ in range(times):
        passes(engine)
        stepping.tick()
        passes(engine)


def living() -> list[Run]:
    return list(Run.objects.filter(state__in=UNFINISHED).order_by("pk"))


def ends(engine, run, *, loss=None, failure="", took_s=30):
    """Let a run come to its end: with a loss on rows kept apart, or with a failure."""
    if failure:
        told = {"code": failure, "text": "It broke.", "msgid": "It broke.", "values": {}}
        events(run, {"at": 1, "kind": "failure", **told})
        engine.move(run.key, Sighting(Phase.FAILED, took_s, exit_code=2))
        return
    if run.until_share < 1:
        (run.folder / "checkpoints").mkdir(exist_ok=True)
        (run.folder / "checkpoints" / "step-00000001.safetensors").write_bytes(b"weights")
    if loss is not None:
        events(run, {"at": 1, "kind": "result", "scores": {"loss_after": loss}})
    engine.move(run.key, Sighting(Phase.SUCCEEDED, took_s, exit_code=0))


def loss_of(run) -> float:
    """Give the loss that a learning rate would have: the nearer to 0.002 the better."""
    return round(1 + abs(run.knobs["learning_rate"] - 0.002) * 100 - run.until_share / 10, 6)


def searched(engine, sweep, *, score=loss_of, rounds=40) -> Sweep:
    """Let the loop pass, and each run end, until the search is over."""
    for _ in range(rounds):
        ticks(engine)
        for run in living():
            ends(engine, run, loss=score(run))
        if not again(sweep).is_unfinished:
            break
    ticks(engine, 2)
    return again(sweep)
