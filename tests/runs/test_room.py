"""More GPUs than the machine has are refused in words, before a price is told."""

import pytest

from fabriek.engines import slurm_wall
from fabriek.kernel.errors import Invalid
from fabriek.runs import actions
from tests.runs.test_pages import text_of, typed

pytestmark = pytest.mark.django_db
SAID = "The machine has 4 GPUs for a run, and no more. Choose that many or fewer."


@pytest.fixture
def four(settings, tmp_path):
    settings.ENGINE, settings.ENGINE_HOME = "slurm", tmp_path
    (tmp_path / slurm_wall.FOLDER).mkdir()
    slurm_wall.keep(tmp_path, outside_s=0, secure_s=0, outside_gpus=4, secure_gpus=1)


def test_more_gpus_than_there_are_get_no_price(world, browser, four):
    address = f"/runs/new?case={world.case.code}&recipe=pretrain_lm"

    def priced(gpus):
        actions.price_for(world.wish(gpus=gpus), case=world.case, by=world.person)

    priced(4)
    with pytest.raises(Invalid) as refused:
        priced(64)
    page = text_of(
        browser(world.person).post(address, typed(world, gpus="64", nodes="1", look="1"))
    )

    assert (refused.value.code, str(refused.value)) == ("too_many_gpus", SAID)
    assert SAID in page
    assert "This run will use" not in page


def test_a_machine_without_gpus_is_one(world, settings):
    settings.ENGINE, settings.ENGINE_GPUS = "local", 0

    with pytest.raises(Invalid, match="The machine has 1 GPU for a run"):
        world.ask(gpus=2)
