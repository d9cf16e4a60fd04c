"""Models from a terminal."""

import hashlib

import httpx
import pytest

from fabriek.cli import http
from fabriek.registry import actions, pushed, signing_keep, signing_key
from fabriek.registry.models import Signature
from tests.factories import a_person
from tests.registry.worlds import a_finished_run

pytestmark = pytest.mark.django_db


@pytest.fixture
def run():
    return a_finished_run()


@pytest.fixture
def model(run):
    return actions.register(run)


@pytest.fixture
def lead(run):
    return run.case.created_by


@pytest.fixture
def answering(monkeypatch, portal):
    """Let a portal answer as it should not."""

    def say(answers):
        def answer(request):
            return answers[request.url.raw_path.decode().removeprefix("/api/")]

        client = httpx.Client(
            transport=httpx.MockTransport(answer), base_url="http://localhost/api/"
        )
        monkeypatch.setattr(http, "client_for", lambda account: client)

    return say


def test_the_list_says_where_to_begin(fabriek):
    result = fabriek(a_person(), "models", "list")

    assert result.stdout == "There are no models yet. Make one with: fabriek run\n"


def test_the_list_says_what_was_pushed_and_is_no_model_yet(fabriek, run, lead):
    pushed.make_place(run.case, name="desk", by=lead)

    result = fabriek(lead, "models", "list", "--q", "desk")

    why = "is not a model yet. There is no whole model here: “config.json” is missing."
    assert f"{run.case.code}/desk {why}" in result.stdout


def test_list_show_and_card_tell_of_a_model(fabriek, model, lead):
    listed = fabriek(lead, "models", "list")
    shown = fabriek(lead, "models", "show", model.code)
    card = fabriek(lead, "models", "card", model.code)

    assert model.code in listed.stdout
    assert model.code in shown.stdout
    assert "exact_match_after  91.7%" in shown.stdout
    assert "loss_after         0.123" in shown.stdout
    assert card.stdout.startswith("---\n")


def test_pull_fetches_every_file_whole(fabriek, model, lead, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)

    result = fabriek(lead, "models", "pull", model.code)

    files = {file.path: file.blob.sha256 for file in model.revision.files.all()}
    folder = tmp_path / model.code
    found = {
        path.relative_to(folder).as_posix(): hashlib.sha256(path.read_bytes()).hexdigest()
        for path in folder.rglob("*")
        if path.is_file()
    }
    assert result.exit_code == 0, result.stderr
    assert found == files
    assert result.stdout.splitlines()[-1] == f"{len(files)} file(s) in {model.code}"


def test_a_second_pull_fetches_only_what_changed(fabriek, model, lead, tmp_path):
    fabriek(lead, "models", "pull", model.code, tmp_path)
    (tmp_path / "config.json").write_text("changed")

    result = fabriek(lead, "models", "pull", model.code, tmp_path)

    again = [x.split()[-1] for x in result.stdout.splitlines() if x.split()[0] != "there"]
    assert again[:-1] == [str(tmp_path / "config.json")]
    assert (tmp_path / "config.json").read_text() != "changed"


def test_pull_puts_the_signature_beside_the_files(fabriek, model, lead, tmp_path):
    signing_keep.sign(model, signing_key.private())

    result = fabriek(lead, "models", "pull", model.code, tmp_path)

    assert result.exit_code == 0, result.stderr
    signature = Signature.objects.get(revision=model.revision)
    assert (tmp_path / "model.sig").read_text() == signature.bundle


def test_a_stranger_pulls_nothing(fabriek, model, tmp_path):
    result = fabriek(a_person(), "models", "pull", model.code, tmp_path / "m")

    assert (result.exit_code, result.stderr[-12:]) == (1, "[not_found]\n")
    assert not (tmp_path / "m").exists()


@pytest.mark.parametrize("path", ["../evil", "/etc/evil", "a/../../evil", ""])
def test_nothing_is_written_outside_the_folder(typed, answering, tmp_path, path):
    fine = {"path": "fine.txt", "size_bytes": 1, "sha256": "0"}
    files = {"items": [fine, {"path": path, "size_bytes": 1, "sha256": "0"}]}
    answering({"models/M1/files": httpx.Response(200, json=files)})

    result = typed("models", "pull", "M1", tmp_path / "m")

    assert result.exit_code == 1
    assert result.stderr == (
        f"The portal names a file outside the folder: {path}. Nothing was fetched.\n"
    )
    assert not (tmp_path / "m").exists()


def test_a_damaged_file_is_not_kept(typed, answering, tmp_path):
    files = {"items": [{"path": "a b#.txt", "size_bytes": 1, "sha256": "0" * 64}]}
    answering(
        {
            "models/M1/files": httpx.Response(200, json=files),
            "models/M1/files/a%20b%23.txt": httpx.Response(200, content=b"x"),
        }
    )

    result = typed("models", "pull", "M1", tmp_path)

    assert result.exit_code == 1
    assert result.stderr.endswith(
        "arrived damaged and was thrown away. Run the command again.\n"
    )
    assert list(tmp_path.iterdir()) == []


@pytest.mark.parametrize(
    ("answer", "said"),
    [
        (
            httpx.Response(502, text="<html>"),
            "The portal answered 502. Try again later. [502]\n",
        ),
        (
            httpx.Response(301, headers={"Location": "https://localhost/"}),
            "The portal has moved to https://localhost/. "
            "Tell its address: fabriek login --url ADDRESS\n",
        ),
        (
            httpx.Response(200, text="<html>"),
            "localhost answers, but not as a factory does. Is the address right?\n",
        ),
    ],
)
def test_an_answer_that_is_no_factorys_is_said_in_words(typed, answering, answer, said):
    answering({"models/M1": answer})

    result = typed("models", "show", "M1")

    assert (result.exit_code, result.stderr) == (1, said)


def test_the_real_client_sends_token_and_language(monkeypatch):
    monkeypatch.setenv("FABRIEK_URL", "http://localhost/")
    monkeypatch.setenv("FABRIEK_TOKEN", "fbk_x")
    monkeypatch.setenv("LANG", "nl_NL.UTF-8")

    client = http.client()

    assert str(client.base_url) == "http://localhost/api/"
    assert client.headers["Authorization"] == "Bearer fbk_x"
    assert client.headers["Accept-Language"] == "nl"
    assert http.client() is client
