"""What a look found, from a terminal."""

import pytest

from fabriek.quality import actions
from fabriek.quality.models import Look
from tests.datasets.conftest import push

pytestmark = pytest.mark.django_db
EMPTY_ROWS = {
    "code": "empty_rows", "severity": "attention", "path": "a.csv", "paths": [], "column": "",
    "rows": [3, 7], "count": 2, "facts": {},
}  # fmt: skip


@pytest.fixture
def look(dataset, lead):
    return actions.ask_look(dataset, push(dataset, {"a.csv": b"a,b\n1,2\n"}), by=lead)


def ended(look, **how):
    Look.objects.filter(pk=look.pk).update(**how)


def test_what_is_wrong_is_told_with_row_numbers(fabriek, dataset, lead, look):
    found = {"rows": 7, "problems": [EMPTY_ROWS], "columns": [], "files": []}
    ended(look, state="done", result=found)

    said = fabriek(lead, "data", "look", dataset.code)

    assert said.exit_code == 0, said.output
    assert "a.csv" in said.output
    assert "3, 7" in said.output


@pytest.mark.parametrize("state", ["failed", "cancelled"])
def test_a_look_that_came_to_nothing_says_why_and_is_no_success(
    fabriek, dataset, lead, look, state
):
    ended(look, state=state, trouble="died")

    said = fabriek(lead, "data", "look", dataset.code)

    assert said.exit_code == 1
    assert "stopped halfway" in said.output


def test_a_look_that_goes_on_is_no_failure(fabriek, dataset, lead, look):
    said = fabriek(lead, "data", "look", dataset.code, "--no-wait")

    assert said.exit_code == 0, said.output
