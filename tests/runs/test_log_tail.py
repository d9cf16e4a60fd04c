"""The end of a log that is too long to show."""

import pytest

from fabriek.runs import folders
from tests.runs.world import passes, seen_again

pytestmark = pytest.mark.django_db


@pytest.fixture
def run(world, engine):
    run = world.ask()
    passes(engine)
    return seen_again(run)


@pytest.mark.parametrize(
    ("log", "tail"),
    [
        ("first\nsecond\n", "first\nsecond\n"),
        ("a line of its own\nlast words\n", "last words\n"),
        ("10% 20% 30% 40% 50% 60%", "% 50% 60%"),
        ("10% 20% 30% 40% 50% 60%\n", " 50% 60%\n"),
    ],
)
def test_the_end_begins_at_a_whole_line_where_there_is_one(run, log, tail):
    (run.folder / "log").write_text(log)

    shown = folders.log_tail(run, max_bytes=9 if "%" in log else 13)

    assert shown == tail
