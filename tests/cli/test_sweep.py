"""Searches from a terminal: what can be searched, price, start, show, list, stop, keep."""

import pytest

from fabriek.engines.fake import Fake
from fabriek.sweeps.models import Sweep
from tests.factories import a_person
from tests.runs.world import a_world
from tests.sweeps.searching import again, begun, searched
from tests.sweeps.test_recipes import IN_PARTS, WHOLE, codes, recipe, wish  # noqa: F401

pytestmark = pytest.mark.django_db


@pytest.fixture
def world(db):
    return a_world(gpu_seconds=100 * 3600)


def start(world, *more):
    data = f"{world.revision.repository.code}@{world.revision.number}"
    words = ["sweep", "start", "pretrain_lm", "--case", world.case.code, "--data", data]
    return [*words, "--budget", "20", "--size", "tiny", *more]


def test_without_a_recipe_it_tells_which_can_be_searched(world, fabriek):
    told = fabriek(world.person, "sweep", "start")

    assert "finetune_lm" in told.output
    assert "learning_rate, lora_rank, weight_decay" in told.output


def test_without_a_budget_it_tells_what_can_be_searched(world, fabriek):
    told = fabriek(world.person, "sweep", "start", "finetune_lm")

    assert told.exit_code == 0
    assert "2e-05 to 0.002" in told.output
    assert not Sweep.objects.exists()


def test_the_price_is_shown_and_nothing_begins(world, fabriek):
    told = fabriek(world.person, *start(world, "--price"))

    assert told.exit_code == 0, told.output
    assert "never more than 20.0" in told.output
    assert not Sweep.objects.exists()


def test_it_begins_with_ranges_of_ones_own(world, fabriek):
    ranges = ["--search", "learning-rate=0.0001..0.01:even", "--search", "size=tiny,mini"]

    told = fabriek(world.person, *start(world, *ranges, "--trials", "4", "-y"))

    sweep = Sweep.objects.get()
    assert told.exit_code == 0, told.output
    assert sweep.code in told.output
    rate, size = sweep.ranges
    assert (rate["low"], rate["high"], rate["log"]) == (0.0001, 0.01, False)
    assert size["choices"] == ["tiny", "mini"]
    assert sweep.knobs == {"size": "tiny"}


@pytest.mark.parametrize("word", ["learning-rate=a..b", "learning-rate=1..2:fast"])
def test_a_range_that_cannot_be_read_is_told_with_how_to_write_it(world, fabriek, word):
    told = fabriek(world.person, *start(world, "--search", word, "-y"))

    assert told.exit_code == 2
    assert "Write --search learning-rate=0.0001..0.01:factors" in told.output
    assert not Sweep.objects.exists()


def test_a_refusal_is_its_own_sentence(world, fabriek):
    told = fabriek(world.person, *start(world, "--search", "vocabulary", "-y"))

    assert told.exit_code == 1
    assert "“vocabulary” is not searched" in told.output


def test_it_is_followed_listed_stopped_and_kept(world, fabriek):
    sweep = begun(world, trials=4, halving=2)
    searched(Fake(), sweep)
    other = begun(world)

    shown = fabriek(world.person, "sweep", "show", sweep.code)
    listed = fabriek(world.person, "sweep")
    stopped = fabriek(world.person, "sweep", "stop", other.code)
    kept = fabriek(world.person, "sweep", "keep", sweep.code)

    assert "Train the winner at full length" in shown.output
    assert "learning-rate" in shown.output
    assert sweep.code in listed.output
    assert "stopped" in stopped.output
    assert again(sweep).winner_run.code in kept.output


def test_a_stranger_is_told_that_it_does_not_exist(world, fabriek):
    sweep = begun(world)

    told = fabriek(a_person(), "sweep", "show", sweep.code)

    assert told.exit_code == 1
    assert "This does not exist, or it is not yours to see." in told.output


def test_programs_and_a_terminal_are_told_the_same_of_it(
    world,
    program,
    fabriek,
    recipe,  # noqa: F811  fixtures
    wish,  # noqa: F811
):
    asked = wish | {"case": world.case.code, "inputs": codes(wish), "trials": 4, "halving": 2}
    words = [f"--{name}={value}" for name, value in wish["knobs"].items()]
    words += ["--model", asked["inputs"]["model"]] if "model" in wish["inputs"] else []
    words += ["--trials", "4", "--halving", "2", "--budget", "50", "--price"]
    data = ["--case", world.case.code, "--data", asked["inputs"]["dataset"]]

    price = program(world.person).post(
        "/api/sweeps/price", asked | {"gpu_seconds_budget": 50 * 3600}, "application/json"
    )
    told = fabriek(world.person, "sweep", "start", recipe, *data, *words)
    explained = fabriek(world.person, "sweep", "start", recipe)

    is_in_parts = recipe in IN_PARTS
    assert price.status_code == 200, price.json()
    shares = [one["until_share"] for one in price.json()["rounds"]]
    assert shares == ([0.25, 0.5] if is_in_parts else [1.0])
    assert told.exit_code == 0, told.output
    assert ("4 trials in full" in told.output) != is_in_parts
    assert (WHOLE in explained.output) != is_in_parts
