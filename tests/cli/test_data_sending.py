"""How large files travel: how large a part is, and how all of it ends when one part does."""

import os
import threading
from functools import partial
from types import SimpleNamespace

import pytest
from blake3 import blake3

from fabriek.cli import data_local, data_sender, data_tus
from fabriek.cli.data_progress import Stopped
from tests.datasets.conftest import contents, made
from tests.factories import a_person

MIB = 2**20
CONTENT = os.urandom(40 * MIB)


@pytest.fixture
def file(tmp_path):
    path = tmp_path / "large.bin"
    path.write_bytes(CONTENT)
    descriptor = os.open(path, os.O_RDONLY)
    yield descriptor
    os.close(descriptor)


def sizes(file, monkeypatch, *, mib_a_second, at=0):
    """Send on a line of that speed, by a clock of its own; give the MiB of each part."""
    clock = [0.0]
    monkeypatch.setattr(data_tus, "time", SimpleNamespace(monotonic=lambda: clock[0]))
    given = []
    for part in data_tus.parts(file, at, len(CONTENT)):
        assert part.at == at
        assert part.proof == blake3(CONTENT[part.at : part.end]).digest()
        at = part.end
        given.append(part.size_bytes / MIB)
        clock[0] += part.size_bytes / MIB / mib_a_second
    assert at == len(CONTENT)
    return given


def test_on_a_quick_line_parts_grow(file, monkeypatch):
    monkeypatch.setattr(data_tus, "PART_BYTES", 4 * MIB)

    # The proof of the next is being made while one travels, so its size was chosen before.
    assert sizes(file, monkeypatch, mib_a_second=1000) == [4, 4, 8, 8, 16]


def test_on_a_slow_line_parts_shrink_to_what_takes_seconds(file, monkeypatch):
    assert sizes(file, monkeypatch, mib_a_second=3) == [16, 16, 6, 2]


def test_a_broken_off_file_is_gone_on_with_from_any_place(file, monkeypatch):
    assert sum(sizes(file, monkeypatch, mib_a_second=10, at=5 * MIB)) == 35


def test_of_a_file_that_is_whole_there_nothing_is_sent(file):
    assert list(data_tus.parts(file, len(CONTENT), len(CONTENT))) == []


@pytest.mark.django_db
@pytest.mark.parametrize(
    ("change", "said"),
    [
        (
            lambda path: os.truncate(path, MIB),
            "changed while it was sent. Run the command again.",
        ),
        (os.unlink, "cannot be read: No such file or directory."),
    ],
)
def test_a_file_that_changes_after_it_was_hashed_is_told(
    fabriek, tmp_path, monkeypatch, change, said
):
    lead = a_person()
    dataset = made(by=lead)
    path = tmp_path / "big.bin"
    path.write_bytes(CONTENT[: 3 * MIB])
    monkeypatch.setattr("fabriek.cli.data_unread.surely_new", lambda *_asked: {})
    hashed = data_local.sha256_of

    def then_changes(path, told):
        found = hashed(path, told)
        change(path)
        return found

    monkeypatch.setattr(data_local, "sha256_of", then_changes)

    result = fabriek(lead, "data", "push", dataset.code, path)

    assert result.exit_code == 1
    assert result.stderr == f"{path} {said}\n"
    assert contents(dataset) == {}


def test_when_one_ends_the_others_stop_at_their_next_step(portal, monkeypatch):
    """Ctrl-C is that too: it comes out of what the first thread waits for."""
    monkeypatch.setattr(data_sender, "SENDERS", 3)
    begun, ends = threading.Barrier(3), []

    def endless(step):
        begun.wait(60)
        try:
            while True:
                step()
        except Stopped:
            ends.append(step)
            raise

    def interrupted():
        begun.wait(60)
        raise KeyboardInterrupt

    def all_three():
        with data_sender.side_by_side() as beside:
            told = beside.stopping.watched(lambda _moved: None)
            for step in (lambda: told(1), lambda: beside.stopping.pause(600)):
                beside.begin(partial(endless, step))
            beside.begin(interrupted)

    with pytest.raises(KeyboardInterrupt):
        all_three()

    assert len(ends) == 2
