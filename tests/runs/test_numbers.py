"""Whole numbers on the form of a run."""

import pytest

from fabriek.runs.models import Run
from tests.runs.test_pages import FORM, typed

pytestmark = pytest.mark.django_db


@pytest.mark.parametrize("language", ["nl", "en"])
@pytest.mark.parametrize("number", ["4.096", "4,096", "4 096"])
def test_whole_numbers_are_read_alike_in_both_languages(world, browser, number, language):
    browser(world.person, language).post(
        FORM.format(world.case.code), typed(world, knob_tokens_per_step=number, seed=number)
    )

    run = Run.objects.get()
    assert (run.knobs["tokens_per_step"], run.seed) == (4096, 4096)


def test_a_whole_number_with_decimals_is_refused_beside_its_field(world, browser):
    answer = browser(world.person).post(
        FORM.format(world.case.code), typed(world, knob_epochs="2,5")
    )

    assert "without decimals" in answer.content.decode()
    assert not Run.objects.exists()
