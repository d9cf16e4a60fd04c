"""Numbers on the form of a run."""

import re

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


@pytest.mark.parametrize(("typed_as", "rate"), [("0,0005", 0.0005), ("5e-4", 0.0005)])
def test_a_fraction_may_have_a_comma_and_is_shown_with_the_readers_own(
    world, browser, typed_as, rate
):
    form = FORM.format(world.case.code)

    dutch = browser(world.person, "nl")
    dutch.post(form, typed(world, knob_learning_rate=typed_as))

    assert Run.objects.get().knobs["learning_rate"] == rate
    again = dutch.get(f"{form}&like={Run.objects.get().code}").content.decode()
    # A browser's own box for numbers would drop the comma where it speaks another language.
    (box,) = re.findall(r'<input[^>]*name="knob_learning_rate"[^>]*>', again)
    assert 'type="text"' in box
    assert 'value="0,0005"' in box
