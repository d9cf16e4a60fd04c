"""A factory whose files are in a bucket: what people and runs see of that."""

import time

import pytest

from fabriek.engines.fake import Fake
from fabriek.kernel.errors import Refused
from fabriek.runs import folders, show
from fabriek.runs.states import RunState
from fabriek.store import queries
from tests.runs.world import a_world, passes, seen_again

pytestmark = pytest.mark.django_db


@pytest.fixture
def world(client, server, settings):
    settings.STORE_BUCKET, settings.S3_ENDPOINT = "s3://factory/data", server
    return a_world()


def forget_what_is_near(world):
    store = queries.the_store()
    (blob,) = queries.listing(world.revision).values()
    store.near.path(blob).unlink()
    return store.near.path(blob)


def test_a_run_waits_for_its_data_and_goes_on_by_itself(world):
    run = world.ask()
    near = forget_what_is_near(world)
    engine = Fake()

    passes(engine)

    waiting = seen_again(run)
    assert (waiting.state, waiting.waiting_reason) == (RunState.WAITING, "data_on_its_way")
    assert show.waiting(waiting) == (
        "The data of this run is being brought from the store to the machine. It goes on by "
        "itself when all is there."
    )
    deadline = time.monotonic() + 20
    while not near.exists() and time.monotonic() < deadline:
        time.sleep(0.05)
    type(run).objects.filter(pk=run.pk).update(claimed_until=None)
    passes(engine)
    sent = seen_again(run)
    assert (sent.state, sent.waiting_reason, sent.progress_total) == (RunState.QUEUED, "", 0)
    assert (run.folder / "inputs" / "dataset" / "text.txt").samefile(near)


def test_looking_before_a_run_says_that_the_data_is_coming(world):
    forget_what_is_near(world)

    with (
        pytest.raises(Refused, match="being brought from the store"),
        folders.laid_out({"dataset": world.revision}),
    ):
        pass


def test_a_run_waits_while_the_bucket_does_not_answer(world, settings, monkeypatch):
    run = world.ask()
    forget_what_is_near(world)
    monkeypatch.setattr("fabriek.store.bucket.TRIES", 1)
    settings.S3_ENDPOINT = "http://127.0.0.1:9"
    engine = Fake()

    for _ in range(40):
        passes(engine)
        type(run).objects.filter(pk=run.pk).update(claimed_until=None)
        if seen_again(run).waiting_reason == "store_down":
            break
        time.sleep(0.1)

    waiting = seen_again(run)
    assert (waiting.state, waiting.waiting_reason) == (RunState.WAITING, "store_down")
