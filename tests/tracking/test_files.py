"""Files of runs: streamed in and out, held to what a case may keep, never a path of ours."""

import io
import json
import os
import pickle
import shutil
import stat
from datetime import timedelta

import pytest
from django.test import Client
from django.utils import timezone

from fabriek.runs import hub_keys
from fabriek.runs.states import RunState
from fabriek.serve import loop
from fabriek.tracking import artifacts, rules, sweeping
from fabriek.tracking.doors import number_of
from fabriek.tracking.models import Artifact
from tests.factories import a_run, a_token, an_allocation

pytestmark = pytest.mark.django_db
MIB = 2**20
AT = "/api/2.0/mlflow-artifacts/artifacts"


class Files:
    def __init__(self, client, run):
        self.client, self.run = client, run

    def at(self, path):
        return f"{AT}/{self.run}/artifacts/{path}"

    def put(self, path, content=b"words"):
        return self.client.put(self.at(path), content, "application/octet-stream")

    def get(self, path):
        return self.client.get(self.at(path))

    def names(self, folder=""):
        place = f"{self.run}/artifacts" + (f"/{folder}" if folder else "")
        answer = self.client.get(AT, {"path": place})
        assert answer.status_code == 200, answer.content
        return answer.json()["files"]


@pytest.fixture
def files(mlflow, run):
    return Files(mlflow.client, run)


def on_disk(settings):
    return sorted(path for path in settings.TRACKING_HOME.rglob("*") if path.is_file())


def test_a_file_goes_in_and_comes_out(files, settings):
    answer = files.put("texts/a.txt", b"hello")

    got = files.get("texts/a.txt")
    assert (answer.status_code, answer.json()) == (200, {})
    assert b"".join(got) == b"hello"
    assert got["Content-Disposition"] == 'attachment; filename="a.txt"'
    assert "sandbox" in got["Content-Security-Policy"]
    assert len(on_disk(settings)) == 1


def test_nobody_else_on_the_machine_looks_into_the_files(files, settings):
    files.put("a.txt")

    assert stat.S_IMODE(settings.TRACKING_HOME.stat().st_mode) == 0o700


def test_folders_are_listed_as_both_routes_say_it(files, mlflow, run):
    files.put("a.txt", b"12345")
    files.put("deep/b.txt")
    files.put("deep/er/c.txt")

    assert files.names() == [
        {"path": "a.txt", "is_dir": False, "file_size": 5},
        {"path": "deep", "is_dir": True},
    ]
    assert files.names("deep") == [
        {"path": "b.txt", "is_dir": False, "file_size": 5},
        {"path": "er", "is_dir": True},
    ]
    listed = mlflow.said(mlflow.get("artifacts/list", run_id=run, path="deep"))
    assert [one["path"] for one in listed["files"]] == ["deep/b.txt", "deep/er"]


def test_a_file_of_the_same_name_takes_the_place(
    files, settings, django_capture_on_commit_callbacks
):
    files.put("a.txt", b"one")
    with django_capture_on_commit_callbacks(execute=True):
        files.put("a.txt", b"two")

    assert b"".join(files.get("a.txt")) == b"two"
    assert len(on_disk(settings)) == 1


@pytest.mark.parametrize("path", ["a.txt", "deep"])
def test_a_file_or_a_folder_is_removed(
    files, settings, path, django_capture_on_commit_callbacks
):
    for name in ("a.txt", "deep/b.txt", "deep/c.txt"):
        files.put(name)

    with django_capture_on_commit_callbacks(execute=True):
        assert files.client.delete(files.at(path)).status_code == 200

    left = {one.path for one in Artifact.objects.all()}
    assert left == {"a.txt", "deep/b.txt", "deep/c.txt"} - {
        path,
        f"{path}/b.txt",
        f"{path}/c.txt",
    }
    assert len(on_disk(settings)) == len(left)
    assert files.client.delete(files.at(path)).status_code == 200


@pytest.mark.parametrize(
    "path", ["../../x", "a/../../x", "a//b", "./a", "con", "a\\..\\b", "a/%2e%2e/b", "x" * 300]
)
def test_a_path_that_leads_elsewhere_is_refused(files, settings, path):
    answer = files.put(path)

    assert answer.status_code == 400, path
    assert answer.json()["error_code"] == "INVALID_PARAMETER_VALUE"
    assert on_disk(settings) == []


@pytest.mark.parametrize(
    "place", ["", "/x", "/{run}", "/{run}/artifacts/", "/{run}/other/a.txt"]
)
def test_an_address_that_is_none_of_a_file_is_refused(files, place):
    answer = files.client.put(f"{AT}{place.format(run=files.run)}", b"x")

    assert answer.status_code == 400


def test_a_folder_whose_name_differs_in_a_capital_is_another(files, mlflow, run):
    for path in ("Models/a", "models/b", "MODELS", "models0", "modelsx/c"):
        assert files.put(path).status_code == 200
    listed = mlflow.said(mlflow.get("artifacts/list", run_id=run, path="models"))

    files.client.delete(files.at("models"))

    left = set(Artifact.objects.values_list("path", flat=True))
    assert left == {"Models/a", "MODELS", "models0", "modelsx/c"}
    assert [one["path"] for one in listed["files"]] == ["models/b"]


def test_a_name_with_a_sign_that_no_name_has_is_that_of_no_file(files, mlflow, run):
    files.put("a")
    listed = mlflow.get("artifacts/list", run_id=run, path="a\0")
    half = mlflow.post("runs/search", experiment_ids=["1\0"], filter="metrics.`a\0\ud800` > 1")

    assert files.get("a%00").status_code == 404
    assert files.client.delete(files.at("a%00")).status_code == 404
    assert files.put("a%00").status_code == 400
    assert files.names("a\0") == []
    assert (listed.status_code, half.status_code) == (200, 200)
    assert b"".join(files.get("a")) == b"words"


def test_a_file_is_no_folder_at_once(files):
    files.put("a/b")

    assert files.put("a").status_code == 400
    assert files.put("a/b/c").status_code == 400
    assert [one.path for one in Artifact.objects.all()] == ["a/b"]


def test_a_case_keeps_only_so_much(files, settings):
    settings.TRACKING_BYTES = 10
    assert files.put("a", b"12345678").status_code == 200

    refused = files.put("b", b"123")

    assert (refused.status_code, refused.json()["error_code"]) == (
        507,
        "RESOURCE_LIMIT_EXCEEDED",
    )
    assert refused.json()["message"].endswith("or keep large ones as a dataset.")
    assert len(on_disk(settings)) == 1


def test_a_file_that_takes_the_place_of_another_needs_only_what_it_has_more(
    files, settings, monkeypatch, django_capture_on_commit_callbacks
):
    settings.TRACKING_BYTES = 10
    monkeypatch.setattr(rules, "FILES_MAX", 1)
    files.put("a", b"12345678")

    with django_capture_on_commit_callbacks(execute=True):
        fitting = files.put("a", b"1234567890")
    too_much = files.put("a", b"12345678901")

    assert (fitting.status_code, too_much.status_code) == (200, 507)
    assert b"".join(files.get("a")) == b"1234567890"
    assert len(on_disk(settings)) == 1


class Endless(io.RawIOBase):
    """A body that goes on, and knows how much of it was taken."""

    taken = 0

    def read(self, size=-1):
        self.taken += size
        assert self.taken < 100 * MIB
        return b"x" * size


def unannounced(files, path, body):
    return files.client.generic(
        "PUT",
        files.at(path),
        HTTP_TRANSFER_ENCODING="chunked",
        CONTENT_LENGTH="",
        **{"wsgi.input": body},
    )


def test_a_file_of_unknown_length_stops_where_the_case_has_no_room(files, settings):
    settings.TRACKING_BYTES = 5
    body = Endless()

    answer = unannounced(files, "a", body)

    assert (answer.status_code, answer.json()["error_code"]) == (507, "RESOURCE_LIMIT_EXCEEDED")
    assert body.taken == artifacts.PIECE_BYTES
    assert on_disk(settings) == []


def test_a_file_of_unknown_length_stops_before_the_disk_is_full(files, settings, monkeypatch):
    monkeypatch.setattr(
        artifacts, "ASKED_EVERY_BYTES", 2 * artifacts.PIECE_BYTES, raising=False
    )
    free = iter([50 * MIB, MIB])
    usage = shutil.disk_usage(settings.TRACKING_HOME.parent)
    monkeypatch.setattr(
        shutil, "disk_usage", lambda _: usage._replace(total=0, free=next(free))
    )
    body = Endless()

    answer = unannounced(files, "a", body)

    assert answer.status_code == 507
    assert body.taken == 2 * artifacts.PIECE_BYTES
    assert on_disk(settings) == []


def test_a_file_and_a_run_have_their_limits(files, settings, monkeypatch):
    settings.UPLOAD_LIMIT_BYTES = 4
    too_large = files.put("a", b"12345")
    monkeypatch.setattr(rules, "FILES_MAX", 0)
    too_many = files.put("a", b"1")

    assert (too_large.status_code, too_many.status_code) == (400, 400)
    assert on_disk(settings) == []


def test_a_file_that_was_cut_off_is_not_kept(files, settings):
    cut = {"wsgi.input": io.BytesIO(b"123"), "CONTENT_LENGTH": "9"}

    answer = files.client.generic("PUT", files.at("a"), **cut)

    assert answer.status_code == 400
    assert on_disk(settings) == []


def test_what_a_killed_process_left_is_removed_a_day_later(files, settings):
    files.put("a")
    kept = on_disk(settings)[0]
    kept_part = kept.with_name("kept").with_suffix(".part")
    for name in ("a" * 32, "b" * 32 + ".part", "kept.part"):
        kept.with_name(name).write_bytes(b"x")
    now = timezone.now()
    for path in on_disk(settings):
        age_s = 60 if path == kept_part else 90_000
        os.utime(path, (now.timestamp() - age_s,) * 2)

    removed = [sweeping.sweep(now), sweeping.sweep(now)]

    assert removed == [2, 0]
    assert set(on_disk(settings)) == {kept, kept_part}
    assert b"".join(files.get("a")) == b"words"


def test_the_loop_sweeps_the_files_of_runs(files, settings):
    files.put("a")
    left = on_disk(settings)[0].with_name("b" * 32)
    left.write_bytes(b"x")
    os.utime(left, (timezone.now().timestamp() - 90_000,) * 2)

    loop.sweep()

    assert not left.exists()


def test_beside_the_wrong_database_no_whole_file_is_removed(
    files, settings, monkeypatch, caplog
):
    monkeypatch.setattr(sweeping, "DOUBTED_FROM", 1)
    files.put("a")
    kept = on_disk(settings)[0]
    for name in ("b" * 32, "c" * 32, "d.part"):
        kept.with_name(name).write_bytes(b"x")
    later = timezone.now() + timedelta(days=2)

    removed = sweeping.sweep(later)

    assert removed == 1
    assert {path.name for path in on_disk(settings)} == {kept.name, "b" * 32, "c" * 32}
    assert "is this the right database?" in caplog.text


def test_nothing_is_swept_where_no_file_ever_came(settings):
    assert sweeping.sweep(timezone.now()) == 0


def test_a_file_outlives_a_power_cut_before_its_row_does(files, settings, monkeypatch):
    """The names of its folder, and that of the folder, are on the disk before the row is."""
    flushed = []

    def noted(descriptor, flush=os.fsync):
        flushed.append((os.fstat(descriptor).st_ino, Artifact.objects.count()))
        flush(descriptor)

    monkeypatch.setattr(os, "fsync", noted)
    files.put("a")

    file = on_disk(settings)[0]
    place = [file.stat().st_ino, file.parent.stat().st_ino]
    above = [file.parents[1].stat().st_ino, settings.TRACKING_HOME.stat().st_ino]
    assert flushed == [(inode, 0) for inode in above + place]


def test_a_file_that_runs_code_is_marked(files):
    files.put("model.txt", pickle.dumps({"a": print}))
    files.put("model.pt", b"PK")
    files.put("a.json", json.dumps({}).encode())

    marked = dict(Artifact.objects.values_list("path", "is_pickle"))
    assert marked == {"model.txt": True, "model.pt": True, "a.json": False}


def test_others_learn_nothing_of_a_file(files, stranger, settings):
    files.put("a.txt")
    theirs, unknown = Files(stranger.client, files.run), Files(stranger.client, "0" * 32)

    for ask in (
        lambda f: f.get("a.txt"),
        lambda f: f.put("b"),
        lambda f: f.client.delete(f.at("a")),
    ):
        assert (ask(theirs).status_code, ask(theirs).content) == (404, ask(unknown).content)
    assert stranger.client.get(AT, {"path": f"{files.run}/artifacts"}).status_code == 404
    assert stranger.client.get(AT).status_code == 404
    assert len(on_disk(settings)) == 1


def test_a_token_that_may_only_look_puts_and_removes_nothing(files, lead, settings):
    reader = Client(headers={"Authorization": f"Bearer {a_token(lead, scope='read')}"})
    files.put("a.txt")

    assert reader.put(files.at("b"), b"x").status_code == 403
    assert reader.delete(files.at("a.txt")).status_code == 403
    assert b"".join(reader.get(files.at("a.txt"))) == b"words"
    assert len(on_disk(settings)) == 1


def test_a_job_puts_no_files_here(case):
    """What data leaves a run by is decided at its outputs."""
    run = a_run(allocation=an_allocation(case=case), state=RunState.RUNNING)
    own = Client(headers={"Authorization": f"Bearer {hub_keys.key_of(run)}"})

    answer = own.put(f"{AT}/{number_of(run)}/artifacts/a", b"x")

    assert answer.status_code == 403
    assert "outputs" in answer.json()["message"]
