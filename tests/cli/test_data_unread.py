"""Large files that are new by their size alone: sent without being hashed first."""

import os
from pathlib import Path

import pytest

from fabriek.cli import data_index, data_local, data_tus, http
from tests.datasets.conftest import contents

pytestmark = pytest.mark.django_db
MIB = 2**20
BIG = os.urandom(3 * MIB)


@pytest.fixture
def folder(tmp_path):
    (tmp_path / "files").mkdir()
    return tmp_path / "files"


@pytest.fixture
def sent(monkeypatch):
    """Note from where each part went, in parts of 1 MiB; `then` is done after each."""
    for size in ("PART_BYTES", "LEAST_BYTES", "MOST_BYTES"):
        monkeypatch.setattr(data_tus, size, MIB)
    really, noted, then = http.send, [], []

    def send(method, path, **request):
        answer = really(method, path, **request)
        if method == "PATCH":
            noted.append(int(request["headers"]["Upload-Offset"]) // MIB)
            for each in then:
                each()
        return answer

    monkeypatch.setattr(http, "send", send)
    return noted, then


@pytest.fixture
def push(fabriek, lead, dataset):
    return lambda *words: fabriek(lead, "data", "push", dataset.code, *words)


def test_it_is_not_hashed_and_never_sent_again(push, dataset, sent, folder, monkeypatch):
    monkeypatch.setattr(data_local, "sha256_of", pytest.fail)
    path = folder / "big.bin"
    path.write_bytes(BIG)

    assert push(folder).exit_code == 0
    (folder / "note.txt").write_text("small")
    again = push(folder)

    assert again.exit_code == 0, again.stderr
    assert sent[0] == [0, 1, 2]
    assert contents(dataset) == {"big.bin": len(BIG), "note.txt": 5}


def test_what_may_be_there_by_its_size_is_hashed_first_and_sent_only_if_it_is_not(
    push, dataset, sent, folder
):
    there, other = folder / "there.bin", folder / "other.bin"
    there.write_bytes(BIG)
    assert push(there).exit_code == 0
    Path(data_index.place()).unlink()  # another computer, which never saw the file
    sent[0].clear()

    other.write_bytes(BIG[::-1])
    assert push(there, other).exit_code == 0

    assert sent[0] == [0, 1, 2]
    assert contents(dataset).keys() == {"there.bin", "other.bin"}


def test_of_two_that_are_the_same_one_is_sent(push, dataset, sent, folder):
    for name in ("one.bin", "two.bin"):
        (folder / name).write_bytes(BIG)

    assert push(folder).exit_code == 0

    assert sent[0] == [0, 1, 2]
    assert contents(dataset).keys() == {"one.bin", "two.bin"}


@pytest.mark.parametrize(
    "change",
    [
        lambda path: os.truncate(path, MIB),
        lambda path: path.write_bytes(BIG[::-1]),
        lambda path: (path.unlink(), path.write_bytes(BIG)),
    ],
    ids=["shorter", "other bytes", "another file"],
)
def test_one_that_changes_meanwhile_is_told_and_the_portal_forgets_it(
    push, dataset, sent, folder, change
):
    path = folder / "big.bin"
    path.write_bytes(BIG)
    sent[1].append(lambda: sent[0] == [0] and change(path))

    result = push(path)

    assert result.exit_code == 1
    assert result.stderr == f"{path} changed while it was sent. Run the command again.\n"
    assert contents(dataset) == {}
    assert not dataset.uploads.exists()


def test_what_arrived_before_something_failed_is_not_sent_again(
    push, dataset, sent, folder, monkeypatch
):
    path = folder / "big.bin"
    path.write_bytes(BIG)
    with monkeypatch.context() as trouble:
        trouble.setattr("fabriek.cli.data_sending._save", lambda *_words: http.stop("No."))
        assert push(path).exit_code == 1

    assert push(path).exit_code == 0

    assert sent[0] == [0, 1, 2]
    assert contents(dataset) == {"big.bin": len(BIG)}


def test_what_one_portal_said_is_not_told_to_another(push, folder, sent, monkeypatch):
    """It could have said the hash of something else."""
    path = folder / "big.bin"
    path.write_bytes(BIG)
    assert push(path).exit_code == 0
    found = data_index.Local.of(str(path), path.stat())

    for url, known in ((None, 1), ("https://other.example", 0)):
        if url:
            monkeypatch.setenv("FABRIEK_URL", url)
        with data_index.opened() as index:
            assert len(index.known([found], [str(path)])) == known
