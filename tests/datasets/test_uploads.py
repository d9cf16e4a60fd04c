"""Uploads in parts, through the door that any client of tus 1.0.0 uses."""

import base64
import fcntl
import hashlib
import io
import os
import threading
from datetime import timedelta
from types import SimpleNamespace

import pytest
from blake3 import blake3
from django.test import Client
from django.utils import timezone

from fabriek.cases.states import CaseState
from fabriek.datasets import receiving, resumable
from fabriek.datasets.models import Upload
from fabriek.datasets.receiving import Checksum
from fabriek.datasets.resumable import Announced, Part
from fabriek.kernel.errors import Refused
from fabriek.store import queries
from tests.datasets.conftest import contents, made
from tests.datasets.test_pages import a_file, send
from tests.factories import a_partner, a_person, an_organisation
from tests.store.test_files import everything_below, files_of_at_most

pytestmark = pytest.mark.django_db
STREAM = "application/offset+octet-stream"
CONTENT = os.urandom(3 * 2**20 + 17)
LENGTH = len(CONTENT)


def sha256(content):
    return hashlib.sha256(content).hexdigest()


def told(**facts):
    pairs = (
        f"{name} {base64.b64encode(fact.encode()).decode()}" for name, fact in facts.items()
    )
    return ",".join(pairs)


def checksum_of(content, algorithm="sha256"):
    digest = blake3(content) if algorithm == "blake3" else hashlib.new(algorithm, content)
    return f"{algorithm} {base64.b64encode(digest.digest()).decode()}"


@pytest.fixture
def client(program, lead):
    return program(lead)


def begin(client, dataset, *, length=LENGTH, content=b"", **headers):
    """Announce a file; `content` is what comes along with it."""
    headers = {"Tus-Resumable": "1.0.0", "Upload-Length": str(length)} | {
        name.replace("_", "-"): value for name, value in headers.items()
    }
    headers = {name: value for name, value in headers.items() if value is not None}
    return client.post(
        f"/api/datasets/{dataset.code}/uploads/", content, content_type=STREAM, headers=headers
    )


def patch(client, address, content, *, at=0, content_type=STREAM, body=None, **headers):
    """Send a part; `body` is what really arrives of it."""
    headers = {"Tus-Resumable": "1.0.0", "Upload-Offset": str(at)} | {
        name.replace("_", "-"): value for name, value in headers.items()
    }
    really = {} if body is None else {"wsgi.input": io.BytesIO(body)}
    return client.patch(address, content, content_type=content_type, headers=headers, **really)


def offset(client, address):
    answer = client.head(address, headers={"Tus-Resumable": "1.0.0"})
    assert answer.status_code == 200, answer.content
    return int(answer["Upload-Offset"])


def on_disk(settings):
    return everything_below(settings.STORE_HOME)


# --- the whole way -----------------------------------------------------------------------
def test_a_file_that_comes_in_parts_is_named_in_a_revision(client, dataset, settings):
    made = begin(client, dataset, Upload_Metadata=told(filename="big.bin"))
    assert (made.status_code, made["Tus-Resumable"], made["Upload-Offset"]) == (
        201,
        "1.0.0",
        "0",
    )
    address = made["Location"]

    first = patch(client, address, CONTENT[:1000])
    assert (first.status_code, first["Upload-Offset"]) == (204, "1000")
    assert "Upload-Expires" in first
    last = patch(client, address, CONTENT[1000:], at=1000)

    assert (last.status_code, last["Upload-Offset"]) == (204, str(len(CONTENT)))
    assert last["Fabriek-SHA256"] == sha256(CONTENT)
    saved = client.post(
        f"/api/datasets/{dataset.code}/revisions",
        {"files": [{"path": "big.bin", "sha256": last["Fabriek-SHA256"]}]},
        content_type="application/json",
    )
    assert saved.status_code == 201
    assert contents(dataset) == {"big.bin": len(CONTENT)}
    there = queries.listing(queries.latest(dataset.repository))["big.bin"]
    with queries.the_store().open(there) as kept:
        assert kept.read() == CONTENT
    assert not receiving.path_of(Upload.objects.get().key).exists()


def test_what_is_spoken_here_is_told_to_everybody(client, dataset):
    answer = client.options(f"/api/datasets/{dataset.code}/uploads/")

    assert answer.status_code == 204
    assert answer["Tus-Version"] == "1.0.0"
    assert answer["Tus-Extension"].split(",") == [
        "creation",
        "creation-with-upload",
        "checksum",
        "expiration",
        "termination",
        "concatenation",
    ]
    assert answer["Tus-Checksum-Algorithm"] == "sha256,blake3,sha1"
    assert answer["Tus-Max-Size"] == str(100 * 2**30)


def test_the_first_part_may_come_along(client, dataset):
    made = begin(client, dataset, content=CONTENT, Upload_Checksum=checksum_of(CONTENT))

    assert (made.status_code, made["Fabriek-SHA256"]) == (201, sha256(CONTENT))


@pytest.mark.parametrize("tenth", range(11))
@pytest.mark.parametrize("checked", [False, True])
def test_cut_at_any_tenth_it_goes_on_from_what_counts(client, dataset, tenth, checked):
    at = len(CONTENT) * tenth // 10
    address = begin(client, dataset)["Location"]
    proof = {"Upload-Checksum": checksum_of(CONTENT)} if checked else {}

    cut = patch(client, address, CONTENT, body=CONTENT[:at], **proof)
    # A part that has to prove itself and does not counts for nothing.
    counts = (0 if tenth < 10 else at) if checked else at
    assert cut.status_code == (460 if checked and tenth < 10 else 204)
    if tenth < 10:
        assert offset(client, address) == counts
        rest = patch(client, address, CONTENT[counts:], at=counts)
    else:
        rest = cut

    assert rest["Fabriek-SHA256"] == sha256(CONTENT)


def test_a_restart_of_the_server_loses_nothing(client, dataset, monkeypatch):
    address = begin(client, dataset)["Location"]
    patch(client, address, CONTENT[:70_000])

    monkeypatch.setattr(receiving, "digests", receiving.Digests())
    last = patch(client, address, CONTENT[70_000:], at=70_000)

    assert last["Fabriek-SHA256"] == sha256(CONTENT)


def test_dead_just_before_it_was_taken_in_it_is_taken_in_when_asked_for(
    client, dataset, monkeypatch
):
    address = begin(client, dataset)["Location"]
    with monkeypatch.context() as dying:
        dying.setattr(resumable, "settle", lambda upload, by: upload)
        answer = patch(client, address, CONTENT)
        assert "Fabriek-SHA256" not in answer

    told = client.head(address, headers={"Tus-Resumable": "1.0.0"})

    assert told["Fabriek-SHA256"] == sha256(CONTENT)


def test_torn_bytes_behind_what_counts_are_cut_off(client, dataset):
    address = begin(client, dataset)["Location"]
    patch(client, address, CONTENT[:500])
    path = receiving.path_of(Upload.objects.get().key)
    path.write_bytes(path.read_bytes() + b"torn" * 9)

    last = patch(client, address, CONTENT[500:], at=500)

    assert last["Fabriek-SHA256"] == sha256(CONTENT)


# --- proof -------------------------------------------------------------------------------
@pytest.mark.parametrize("algorithm", ["sha256", "blake3", "sha1"])
def test_a_part_with_a_wrong_checksum_counts_for_nothing(client, dataset, algorithm):
    address = begin(client, dataset)["Location"]
    first = patch(
        client, address, CONTENT[:900], Upload_Checksum=checksum_of(CONTENT[:900], algorithm)
    )
    assert first.status_code == 204
    path = receiving.path_of(Upload.objects.get().key)

    wrong = patch(
        client, address, CONTENT[900:], at=900, Upload_Checksum=checksum_of(b"other", algorithm)
    )

    assert wrong.status_code == 460
    assert wrong.json()["code"] == "other_checksum"
    assert wrong["Tus-Resumable"] == "1.0.0"
    assert offset(client, address) == 900
    assert path.read_bytes() == CONTENT[:900]
    again = patch(
        client,
        address,
        CONTENT[900:],
        at=900,
        Upload_Checksum=checksum_of(CONTENT[900:], algorithm),
    )
    assert again["Fabriek-SHA256"] == sha256(CONTENT)


@pytest.mark.parametrize("wrong", ["md5 AAAA", "sha256", "sha256 !!", "", "blake3 AAA"])
def test_a_checksum_that_cannot_be_read_is_refused(client, dataset, wrong):
    address = begin(client, dataset)["Location"]

    answer = patch(client, address, CONTENT, Upload_Checksum=wrong)

    # An empty proof is no proof at all: it never matches.
    assert answer.status_code == (460 if wrong == "sha256" else 400)
    assert offset(client, address) == 0


def test_other_bytes_than_were_announced_are_refused_at_the_end(client, dataset, settings):
    facts = told(path="a/b.bin", sha256=sha256(b"something else"))
    address = begin(client, dataset, Upload_Metadata=facts)["Location"]

    answer = patch(client, address, CONTENT)

    assert (answer.status_code, answer.json()["code"]) == (422, "other_bytes")
    assert "“a/b.bin” did not arrive as it was announced" in answer.json()["detail"]
    assert not Upload.objects.exists()


# --- lies and mistakes -------------------------------------------------------------------
@pytest.mark.parametrize("at", [0, 99, 101, len(CONTENT)])
def test_a_part_that_does_not_follow_is_refused(client, dataset, at):
    address = begin(client, dataset)["Location"]
    patch(client, address, CONTENT[:100])

    answer = patch(client, address, b"x", at=at)

    assert (answer.status_code, answer.json()["code"]) == (409, "other_offset")
    assert offset(client, address) == 100


def test_more_than_was_announced_is_refused(client, dataset):
    address = begin(client, dataset, length=10)["Location"]

    answer = patch(client, address, b"x" * 11)

    assert (answer.status_code, answer.json()["code"]) == (413, "longer_than_told")
    assert offset(client, address) == 0


@pytest.mark.parametrize("length", ["", "-1", "ten", "1e3", "٣", "9" * 30])
def test_a_length_that_is_none_is_refused(client, dataset, length):
    answer = begin(client, dataset, length=length)

    assert answer.status_code == 400
    assert not Upload.objects.exists()


@pytest.mark.parametrize(("length", "status"), [(0, 422), (100 * 2**30 + 1, 413)])
def test_nothing_at_all_and_far_too_much_are_refused(client, dataset, length, status, settings):
    assert begin(client, dataset, length=length).status_code == status
    assert on_disk(settings) == []


def test_a_disk_without_room_says_so_before_any_byte(client, dataset, settings, monkeypatch):
    """Some of the disk is left alone: the database may live there."""
    disk = SimpleNamespace(total=50 * 1000, free=1000 + len(CONTENT))
    monkeypatch.setattr("fabriek.store.incoming.shutil.disk_usage", lambda _folder: disk)
    address = begin(client, dataset)["Location"]

    disk.free -= 1
    assert begin(client, dataset).status_code == 507
    assert patch(client, address, CONTENT).status_code == 507
    assert offset(client, address) == 0
    disk.free += 1
    assert patch(client, address, CONTENT).status_code == 204


def test_the_form_of_the_page_leaves_as_much_alone(browser, dataset, lead, monkeypatch):
    disk = SimpleNamespace(total=50 * 1000, free=0)
    monkeypatch.setattr("fabriek.store.incoming.shutil.disk_usage", lambda _folder: disk)
    client = browser(lead)

    assert send(client, dataset, a_file("a.txt")).status_code == 507

    monkeypatch.setattr("fabriek.store.incoming.LOOK_EVERY_BYTES", 1)
    monkeypatch.setattr("fabriek.datasets.uploads.require_room", lambda _folder: None)
    assert send(client, dataset, a_file("a.txt")).status_code == 507  # and while it comes


def test_a_disk_that_fills_up_halfway_keeps_what_was_proved(client, dataset):
    address = begin(client, dataset)["Location"]
    patch(client, address, CONTENT[:1000])

    with files_of_at_most(2**20):
        full = patch(client, address, CONTENT[1000:], at=1000)

    assert (full.status_code, full.json()["code"]) == (507, "storage_full")
    assert offset(client, address) == 1000
    assert patch(client, address, CONTENT[1000:], at=1000)["Fabriek-SHA256"] == sha256(CONTENT)


@pytest.mark.parametrize("path", ["../up", "/etc/passwd", "con", "a//b", "x" * 300])
def test_a_path_that_breaks_a_rule_is_refused(client, dataset, path, settings):
    answer = begin(client, dataset, Upload_Metadata=told(filename=path))

    assert (answer.status_code, answer.json()["code"]) == (422, "path")
    assert on_disk(settings) == []


@pytest.mark.parametrize(
    "facts", ["filename !!!", f"filename {base64.b64encode(bytes([255])).decode()}", "x" * 5000]
)
def test_facts_that_cannot_be_read_are_refused(client, dataset, facts):
    assert begin(client, dataset, Upload_Metadata=facts).status_code == 400


def test_another_version_and_another_kind_of_body_are_refused(client, dataset):
    address = begin(client, dataset)["Location"]

    old = begin(client, dataset, Tus_Resumable="0.2.2")
    none = client.head(address)
    form = patch(client, address, b"x", content_type="text/plain")

    assert (old.status_code, old["Tus-Version"]) == (412, "1.0.0")
    assert none.status_code == 412
    assert form.status_code == 415
    assert offset(client, address) == 0


def test_nobody_begins_without_end(client, dataset, monkeypatch):
    monkeypatch.setattr(resumable, "OPEN_AT_MOST", 2)

    answers = [begin(client, dataset).status_code for _ in range(3)]

    assert answers == [201, 201, 409]


# --- whose it is -------------------------------------------------------------------------
def test_somebody_elses_upload_answers_like_one_that_never_was(client, program, dataset):
    address = begin(client, dataset)["Location"]
    colleague, stranger = a_person(), a_person(duty="staff")
    a_partner(dataset.case, organisation=an_organisation(member=colleague))
    never = address[:-4] + "ffff"
    version = {"Tus-Resumable": "1.0.0"}

    for person in (colleague, stranger):
        other = program(person)
        for ask in (
            lambda at, other=other: patch(other, at, b"x"),
            lambda at, other=other: other.delete(at, headers=version),
        ):
            theirs, none = ask(address), ask(never)
            assert theirs.status_code == none.status_code == 404
            assert theirs.content == none.content
        assert other.head(address, headers=version).status_code == 404
    assert begin(program(stranger), dataset).status_code == 404
    assert offset(client, address) == 0


def test_an_upload_belongs_to_its_dataset(client, dataset, lead):
    address = begin(client, dataset)["Location"]
    other = made(by=lead, case=dataset.case, title="Anders")

    answer = patch(client, address.replace(dataset.code, other.code), b"x")

    assert answer.status_code == 404


def test_a_token_that_may_only_look_sends_nothing(program, lead, dataset):
    assert begin(program(lead, scope="read"), dataset).status_code == 403


def test_who_is_not_signed_in_sends_nothing(client, dataset):
    client.defaults.pop("HTTP_AUTHORIZATION", None)
    client.headers = None
    answer = type(client)().post(f"/api/datasets/{dataset.code}/uploads/")

    assert answer.status_code == 401
    assert answer["Tus-Resumable"] == "1.0.0"


def test_a_session_needs_its_csrf_token(dataset, lead):
    strict = Client(enforce_csrf_checks=True)
    strict.force_login(lead, backend="allauth.account.auth_backends.AuthenticationBackend")
    assert begin(strict, dataset).status_code == 403
    token = strict.get(f"/data/{dataset.code}/").cookies["csrftoken"].value

    made = begin(strict, dataset, X_CSRFToken=token)

    assert made.status_code == 201
    assert patch(strict, made["Location"], CONTENT).status_code == 403
    sent = patch(strict, made["Location"], CONTENT, X_CSRFToken=token)
    assert sent["Fabriek-SHA256"] == sha256(CONTENT)


def test_a_case_that_closes_halfway_ends_it(client, dataset):
    address = begin(client, dataset)["Location"]
    type(dataset.case).objects.filter(pk=dataset.case_id).update(state=CaseState.CLOSED)

    assert patch(client, address, CONTENT).status_code == 409
    assert Upload.objects.get().offset_bytes == 0


# --- two at once -------------------------------------------------------------------------
class Slow:
    """A body whose second half waits until somebody lets it go on."""

    def __init__(self, content):
        self.content, self.size_bytes = content, len(content)
        self.halfway, self.go_on = threading.Event(), threading.Event()
        self.moved_at = float("inf")
        self._at = 0
        self.is_cut = False

    def readinto(self, target):
        if self._at:
            self.halfway.set()
            assert self.go_on.wait(100)
        if self.is_cut:
            return 0
        piece = self.content[self._at : self._at + len(self.content) // 2]
        target[: len(piece)] = piece
        self._at += len(piece)
        return len(piece)

    def cut(self):
        self.is_cut = True
        self.go_on.set()


def a_slow_writer(upload, lead, content):
    body = Slow(content)
    key = upload.key
    results = []

    def write():
        with receiving.alone(key) as file:
            results.append(receiving.receive(file, key, body, at=0, checksum=None))

    thread = threading.Thread(target=write)
    thread.start()
    assert body.halfway.wait(100)
    return body, thread, results


def test_of_two_writers_the_second_is_told_to_wait(client, dataset, lead):
    address = begin(client, dataset, length=1000)["Location"]
    body, thread, results = a_slow_writer(Upload.objects.get(), lead, b"x" * 1000)

    second = patch(client, address, b"y" * 1000)
    body.go_on.set()
    thread.join()

    assert (second.status_code, second.json()["code"]) == (423, "upload_busy")
    assert results == [1000]


def test_a_writer_whose_client_went_silent_makes_room(client, dataset, lead):
    address = begin(client, dataset, length=1000)["Location"]
    body, thread, results = a_slow_writer(Upload.objects.get(), lead, b"x" * 1000)
    body.moved_at = 0.0

    second = patch(client, address, b"y" * 1000)
    thread.join()

    assert second["Fabriek-SHA256"] == sha256(b"y" * 1000)
    assert results == [500]


# --- the end -----------------------------------------------------------------------------
def test_a_stopped_upload_is_gone(client, dataset, settings):
    address = begin(client, dataset)["Location"]
    patch(client, address, CONTENT[:100])

    stopped = client.delete(address, headers={"Tus-Resumable": "1.0.0"})

    assert stopped.status_code == 204
    assert client.head(address, headers={"Tus-Resumable": "1.0.0"}).status_code == 404
    assert on_disk(settings) == []


def test_patch_and_delete_may_be_said_otherwise(client, dataset, settings):
    address = begin(client, dataset)["Location"]
    version = {"Tus-Resumable": "1.0.0"}
    sent = client.post(
        address,
        CONTENT[:10],
        content_type=STREAM,
        headers=version | {"Upload-Offset": "0", "X-HTTP-Method-Override": "PATCH"},
    )
    assert sent["Upload-Offset"] == "10"

    client.post(address, headers=version | {"X-HTTP-Method-Override": "DELETE"})

    assert not Upload.objects.exists()


def test_what_is_left_alone_goes(client, dataset, settings):
    address = begin(client, dataset)["Location"]
    patch(client, address, CONTENT[:100])
    kept = begin(client, dataset)["Location"]
    Upload.objects.filter(key=address[-32:]).update(expires_at=timezone.now())
    stray = receiving.path_of("f" * 32)
    stray.write_bytes(b"of a process that died")
    os.utime(stray, (0, 0))

    assert client.head(address, headers={"Tus-Resumable": "1.0.0"}).status_code == 404
    assert resumable.sweep(timezone.now() + timedelta(seconds=1)) == 1

    assert [upload.key for upload in Upload.objects.all()] == [kept[-32:]]
    assert on_disk(settings) == [f"uploads/resumable/{kept[-32:]}"]


def test_what_a_part_still_comes_in_for_stays(client, dataset, lead):
    begin(client, dataset, length=1000)
    later = timezone.now() + timedelta(days=5)
    body, thread, results = a_slow_writer(Upload.objects.get(), lead, b"x" * 1000)

    resumable.sweep(later)
    body.go_on.set()
    thread.join()

    assert results == [1000]
    assert Upload.objects.count() == 1
    resumable.sweep(later)
    assert Upload.objects.count() == 0


def test_a_file_that_went_while_the_sweep_looked_stops_nobody(client, dataset, settings):
    begin(client, dataset)
    gone, stray = receiving.path_of("e" * 32), receiving.path_of("f" * 32)
    gone.symlink_to("nowhere")
    stray.write_bytes(b"of a process that died")
    os.utime(stray, (0, 0))

    resumable.sweep(timezone.now())

    assert not stray.exists()


# --- side by side ------------------------------------------------------------------------
def test_parts_that_were_sent_side_by_side_are_joined(client, dataset, settings):
    half = len(CONTENT) // 2
    addresses = []
    for part in (CONTENT[:half], CONTENT[half:]):
        made = begin(client, dataset, length=len(part), Upload_Concat="partial", content=part)
        assert "Fabriek-SHA256" not in made
        addresses.append(made["Location"])

    whole = begin(
        client,
        dataset,
        length="",
        Upload_Concat=f"final;{addresses[0]} http://localhost{addresses[1]}",
        Upload_Metadata=told(filename="whole.bin"),
    )

    assert (whole.status_code, whole["Fabriek-SHA256"]) == (201, sha256(CONTENT))
    assert Upload.objects.get().path == "whole.bin"
    assert patch(client, whole["Location"], b"x", at=len(CONTENT)).status_code == 403
    assert len(on_disk(settings)) == 1


@pytest.mark.parametrize("which", ["unfinished", "whole", "theirs", "none"])
def test_only_finished_parts_of_ones_own_are_joined(client, program, dataset, which):
    other = a_person()
    a_partner(dataset.case, organisation=an_organisation(member=other))
    mine = begin(client, dataset, length=4, Upload_Concat="partial", content=b"mine")[
        "Location"
    ]
    second = {
        "unfinished": lambda: begin(client, dataset, length=9, Upload_Concat="partial"),
        "whole": lambda: begin(client, dataset, length=4, content=b"full"),
        "theirs": lambda: begin(
            program(other), dataset, length=4, Upload_Concat="partial", content=b"them"
        ),
        "none": lambda: {"Location": "/api/nowhere/ffff"},
    }[which]()["Location"]

    answer = begin(client, dataset, length="", Upload_Concat=f"final;{mine} {second}")

    assert answer.status_code == (404 if which in {"theirs", "none"} else 422)
    assert Upload.objects.filter(concat__startswith="final").count() == 0


def test_a_part_is_joined_once(client, dataset, settings):
    part = begin(client, dataset, length=4, Upload_Concat="partial", content=b"mine")
    twice = f"final;{part['Location']} {part['Location']}"

    answer = begin(client, dataset, length="", Upload_Concat=twice)

    assert (answer.status_code, answer.json()["code"]) == (422, "part_twice")
    assert Upload.objects.get().key == part["Location"][-32:]
    assert len(on_disk(settings)) == 1


@pytest.mark.parametrize("address", ["http://[x", "//[", "http://a\u2100b/", "/", "ht!tp://"])
def test_an_address_that_is_none_names_no_part(client, dataset, address):
    answer = begin(client, dataset, length="", Upload_Concat=f"final;{address}")

    assert (answer.status_code, answer.json()["code"]) == (404, "upload_gone")


# --- two at once -------------------------------------------------------------------------
def a_whole_one(dataset, lead):
    upload = resumable.begin(dataset, Announced(length_bytes=3, path="a.txt"), by=lead)
    receiving.path_of(upload.key).write_bytes(b"abc")
    Upload.objects.filter(pk=upload.pk).update(offset_bytes=3)
    return upload.key


def test_two_who_looked_before_it_was_taken_in_are_both_told_what_it_is(dataset, lead):
    key = a_whole_one(dataset, lead)
    one, two = (resumable.found(dataset, key, by=lead) for _ in range(2))

    told = [resumable.settle(each, by=lead).sha256 for each in (one, two)]

    assert told == [sha256(b"abc")] * 2
    assert one.expires_at == two.expires_at


def test_who_opened_the_file_before_it_was_taken_in_looks_again(dataset, lead, monkeypatch):
    key = a_whole_one(dataset, lead)
    one, two = (resumable.found(dataset, key, by=lead) for _ in range(2))
    lock = fcntl.flock

    def slowly(descriptor, how):
        """Let the other one be first, after the file was opened and before its lock."""
        monkeypatch.undo()
        resumable.settle(one, by=lead)
        lock(descriptor, how)

    monkeypatch.setattr(fcntl, "flock", slowly)
    assert resumable.settle(two, by=lead).sha256 == one.sha256 == sha256(b"abc")


def test_what_was_stopped_meanwhile_is_gone(dataset, lead):
    key = a_whole_one(dataset, lead)
    one, two = (resumable.found(dataset, key, by=lead) for _ in range(2))
    resumable.stop(one, by=lead)

    with pytest.raises(Refused) as refused:
        resumable.settle(two, by=lead)

    assert refused.value.code == "upload_gone"


# --- the action itself -------------------------------------------------------------------
def test_a_stranger_is_refused_by_the_action_too(dataset, lead):
    upload = resumable.begin(dataset, Announced(length_bytes=5), by=lead)
    stranger = a_person(duty="staff")
    body = Slow(b"12345")

    with pytest.raises(Refused):
        resumable.begin(dataset, Announced(length_bytes=5), by=stranger)
    with pytest.raises(Refused):
        resumable.append(upload, Part(at=0, body=body), by=stranger)
    with pytest.raises(Refused):
        resumable.stop(upload, by=stranger)
    with pytest.raises(Refused):
        resumable.found(dataset, upload.key, by=stranger)

    assert Checksum(algorithm="sha256", digest=b"").begin().digest()
    upload.refresh_from_db()
    assert upload.offset_bytes == 0
