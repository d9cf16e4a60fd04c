"""Datasets from a terminal."""

import io
import tarfile

import httpx
import pytest

from fabriek.cli import http
from fabriek.datasets.models import Dataset
from tests.cli.conftest import wsgi_client
from tests.datasets.conftest import contents, made, push
from tests.factories import a_case, a_person

pytestmark = pytest.mark.django_db
ROW = '{"prompt": "Hoi", "completion": "balie"}\n'


@pytest.fixture
def lead():
    return a_person()


@pytest.fixture
def dataset(lead):
    return made(by=lead)


@pytest.fixture
def sent(monkeypatch, portal):
    """Write down which small files travel."""
    travelled = []

    def note(request: httpx.Request):
        if request.url.path.endswith("/bundle"):
            tar = b"".join(request.stream)
            request.stream = httpx.ByteStream(tar)
            with tarfile.open(fileobj=io.BytesIO(tar)) as names:
                travelled.extend(names.getnames())

    def watched(account):
        client = wsgi_client(account)
        client.event_hooks = {"request": [note]}
        return client

    monkeypatch.setattr(http, "client_for", watched)
    return travelled


def file(folder, name, text="some words"):
    path = folder / name
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(text)
    return path


def test_a_new_dataset_tells_how_to_fill_it(fabriek, lead):
    case = a_case(lead=lead)

    result = fabriek(
        lead, "data", "new", "--case", case.code, "--title", "Desk", "--no-personal"
    )

    dataset = Dataset.objects.get()
    assert result.stdout == (
        f"{dataset.code} is made. Push files: fabriek data push {dataset.code} FILES\n"
    )
    assert (dataset.case, dataset.title, dataset.has_personal_data) == (case, "Desk", False)


def test_the_list_and_the_files_say_where_to_begin(fabriek, lead):
    nothing = fabriek(lead, "data", "ls")
    dataset = made(by=lead)
    empty = fabriek(lead, "data", "ls", dataset.code)

    assert nothing.stdout == "There are no datasets yet. Begin with: fabriek data new\n"
    assert empty.stdout.endswith(
        f"It holds no files yet. Push some: fabriek data push {dataset.code} FILES\n"
    )


def test_the_list_shows_datasets_and_ls_their_files(fabriek, lead, dataset):
    push(dataset, {"rows.jsonl": ROW.encode()})

    listed = fabriek(lead, "data", "ls")
    files = fabriek(lead, "data", "ls", dataset.code)

    assert dataset.code in listed.stdout
    assert f"{dataset.code}@1" in files.stdout
    assert files.stdout.splitlines()[-1].split() == [str(len(ROW)), "B", "rows.jsonl"]


def test_a_file_is_pushed_as_a_revision(fabriek, lead, dataset, tmp_path):
    path = file(tmp_path, "rows.jsonl", ROW)

    result = fabriek(lead, "data", "push", dataset.code, path, "-m", "first rows")

    assert result.exit_code == 0, result.stderr
    assert result.stdout.splitlines()[-1] == f"{dataset.code}@1 · 1 file(s)"
    assert contents(dataset) == {"rows.jsonl": len(ROW)}
    assert dataset.repository.revisions.get().message == "first rows"


def test_a_folder_keeps_its_paths_and_leaves_links_out(fabriek, lead, dataset, tmp_path):
    folder = tmp_path / "corpus"
    inside = file(folder, "2026/nov/text.txt")
    (folder / "2026/link.txt").symlink_to(inside)

    result = fabriek(lead, "data", "push", dataset.code, folder)

    assert contents(dataset) == {"2026/nov/text.txt": 10}
    assert result.stderr == f"{folder / '2026/link.txt'} is a link: left out.\n"


def test_bytes_that_are_there_already_are_not_sent_again(
    fabriek, sent, lead, dataset, tmp_path
):
    file(tmp_path / "c", "a.txt", "one")
    fabriek(lead, "data", "push", dataset.code, tmp_path / "c")
    file(tmp_path / "c", "b.txt", "two")
    file(tmp_path / "c", "same-as-b.txt", "two")

    result = fabriek(lead, "data", "push", dataset.code, tmp_path / "c")

    assert result.exit_code == 0
    assert sent == ["a.txt", "b.txt"]
    assert contents(dataset) == {"a.txt": 3, "b.txt": 3, "same-as-b.txt": 3}


def test_pushing_the_same_again_says_that_nothing_was_new(fabriek, lead, dataset, tmp_path):
    path = file(tmp_path, "a.txt")
    fabriek(lead, "data", "push", dataset.code, path)

    result = fabriek(lead, "data", "push", dataset.code, path)

    assert result.stdout.splitlines()[-2:] == [
        "Nothing was new. This revision holds these files already:",
        f"{dataset.code}@1 · 1 file(s)",
    ]
    assert dataset.repository.revisions.count() == 1


def test_many_files_are_asked_for_in_parts(fabriek, lead, dataset, tmp_path, monkeypatch):
    monkeypatch.setattr("fabriek.cli.data_push.ASKED_AT_ONCE", 2)
    for number in range(5):
        file(tmp_path / "c", f"{number}.txt", str(number))

    fabriek(lead, "data", "push", dataset.code, tmp_path / "c")

    assert len(contents(dataset)) == 5


def test_a_broken_row_is_named_by_its_line_and_nothing_is_saved(
    fabriek, lead, dataset, tmp_path
):
    path = file(tmp_path, "rows.jsonl", ROW + "{broken\n")

    result = fabriek(lead, "data", "push", dataset.code, path)

    assert result.exit_code == 1
    assert "rows.jsonl" in result.stderr
    assert "line 2" in result.stderr.lower()
    assert contents(dataset) == {}


def test_an_empty_file_is_refused(fabriek, lead, dataset, tmp_path):
    result = fabriek(lead, "data", "push", dataset.code, file(tmp_path, "a.txt", ""))

    assert result.exit_code == 1
    assert result.stderr == (
        "“a.txt” is empty (0 bytes). See whether it was saved well, and send it again. "
        "[empty_file]\n"
    )


def test_two_files_of_one_name_do_not_replace_each_other(fabriek, lead, dataset, tmp_path):
    one, two = file(tmp_path / "1", "a.txt"), file(tmp_path / "2", "a.txt")

    result = fabriek(lead, "data", "push", dataset.code, one, two)

    assert result.exit_code == 1
    assert result.stderr == (f"{one} and {two} would both be called a.txt. Push one folder.\n")
    assert contents(dataset) == {}


def test_an_empty_folder_is_nothing_to_push(fabriek, lead, dataset, tmp_path):
    (tmp_path / "c").mkdir()

    result = fabriek(lead, "data", "push", dataset.code, tmp_path / "c")

    assert (result.exit_code, result.stderr) == (1, "There is no file in what you named.\n")


def test_somebody_elses_dataset_takes_nothing(fabriek, dataset, tmp_path):
    result = fabriek(a_person(), "data", "push", dataset.code, file(tmp_path, "a.txt"))

    assert result.exit_code == 1
    assert result.stderr.endswith("[not_found]\n")
    assert contents(dataset) == {}
