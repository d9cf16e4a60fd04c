"""Small files that travel together: what is asked, what is sent, and what the portal tells."""

import pytest

from fabriek.cli import data_bundle, data_index, data_sender, http
from fabriek.store import queries
from tests.datasets.conftest import contents, made
from tests.store.test_actions import sha256

pytestmark = pytest.mark.django_db


@pytest.fixture
def told(monkeypatch):
    """Note of how many files it was asked and sent; `then` changes what it answers."""
    really, noted, then = http.send, [], []

    def send(method, path, **request):
        answer = really(method, path, **request)
        if path.endswith("/missing"):
            noted.append(("asked", len(request["json"]["sha256"])))
        elif path.endswith("/bundle"):
            noted.append(("sent", len(answer.json()["files"])))
            for change in then:
                answer = change(answer)
        return answer

    monkeypatch.setattr(http, "send", send)
    return noted, then


@pytest.fixture
def push(fabriek, lead, dataset, tmp_path):
    """Push a folder with a file for each of these texts."""

    def pushed(*texts, to=dataset):
        folder = tmp_path / "files"
        folder.mkdir(exist_ok=True)
        for text in texts:
            (folder / f"{text}.txt").write_text(text)
        return fabriek(lead, "data", "push", to.code, folder)

    return pushed


def saved(dataset):
    return {
        path: blob.sha256
        for path, blob in queries.listing(queries.latest(dataset.repository)).items()
    }


def names(*texts):
    return {f"{text}.txt": sha256(text.encode()) for text in texts}


def test_a_few_are_asked_for_and_all_where_one_of_those_is_known(
    push, lead, dataset, told, monkeypatch
):
    monkeypatch.setattr(data_sender, "SAMPLE", 2)
    noted, _then = told
    other = made(case=dataset.case, by=lead)

    push("a", "b", "c", "d")
    push("e", "f", to=other)

    assert noted == [("asked", 2), ("sent", 4), ("asked", 2), ("asked", 6), ("sent", 2)]
    assert saved(dataset) == names("a", "b", "c", "d")
    assert saved(other) == names("a", "b", "c", "d", "e", "f")


def test_what_the_portal_tells_is_kept_and_what_it_does_not_is_hashed_here(
    push, dataset, told, monkeypatch
):
    monkeypatch.setattr(data_sender, "SAMPLE", 1)
    monkeypatch.setattr(data_index, "TOO_FRESH_NS", -(10**12))
    _noted, then = told
    then.append(_without_blake3)

    push("a", "b", "c")

    assert saved(dataset) == names("a", "b", "c")
    with data_index.opened() as index:
        rows = dict(index.connection.execute("SELECT path, sha256 FROM files"))
    assert {path.rpartition("/")[2]: each for path, each in rows.items()} == names(
        "a", "b", "c"
    )


def _without_blake3(answer):
    """Answer as a portal does that knows one of the three, as those from before kept none."""
    told = answer.json()
    told["blake3"] = dict(list(told["blake3"].items())[:1])
    return type(answer)(201, json=told)


@pytest.mark.parametrize("at_most", [1, 64])  # the portal tells their SHA-256, or it is asked
def test_other_bytes_than_were_sent_are_told(push, dataset, told, monkeypatch, at_most):
    monkeypatch.setattr(data_sender, "SAMPLE", at_most)
    _noted, then = told
    other = sha256(b"other")
    then.append(
        lambda answer: type(answer)(201, json={"files": {"a.txt": other}, "blake3": {}})
    )

    result = push("a", "b")

    assert result.exit_code == 1
    assert result.stderr.endswith("a.txt changed while it was sent. Run the command again.\n")
    assert contents(dataset) == {}


def test_the_same_bytes_go_once_and_what_had_arrived_is_kept_when_it_breaks_off(
    push, dataset, told, monkeypatch
):
    monkeypatch.setattr(data_bundle, "PIECES_MAX", 2)
    monkeypatch.setattr(data_sender, "UNASKED", 0)
    monkeypatch.setattr(data_index, "TOO_FRESH_NS", -(10**12))
    noted, then = told

    def breaks_off(_answer):
        raise KeyboardInterrupt

    push("a", "b")
    then.append(breaks_off)
    broken = push("c", "d", "e", "f")
    then.clear()
    push()

    assert broken.exit_code == 130
    # c and d had arrived, though the answer had not; e and f were not sent yet.
    assert noted[-3:] == [("asked", 2), ("asked", 2), ("sent", 2)]
    assert saved(dataset) == names("a", "b", "c", "d", "e", "f")
