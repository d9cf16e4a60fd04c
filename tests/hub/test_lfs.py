import json
from datetime import timedelta
from io import BytesIO

import pytest
import time_machine
from django.core import signing
from django.test import Client
from django.utils import timezone
from gunicorn.http.errors import InvalidChunkSize, NoMoreData

from fabriek.hub import links, parts
from fabriek.store import arriving, incoming
from fabriek.store.models import Arrival, Blob, Repository
from tests.factories import a_case, a_partner, a_person
from tests.hub.calls import Hub, body, large, sha256

pytestmark = pytest.mark.django_db
CONTENT = bytes(range(256)) * 4096  # 1 MiB
OTHER = CONTENT[::-1]
STREAM = "application/octet-stream"


def put(hub, link, content):
    """Send without a token: the link says all."""
    return Client().put(link, content, content_type=STREAM)


def verify(hub, link, content):
    asked = {"oid": sha256(content), "size": len(content)}
    return hub.client.post(link, json.dumps(asked), content_type="application/json")


def test_a_large_file_is_sent_verified_and_committed(hub):
    to_put, to_verify = hub.links(CONTENT)

    before = verify(hub, to_verify, CONTENT)
    sent = put(hub, to_put, CONTENT)

    assert (before.status_code, sent.status_code) == (422, 200)
    assert verify(hub, to_verify, CONTENT).status_code == 200
    assert hub.commit(large("a.bin", CONTENT)).status_code == 200
    assert hub.head("a.bin")["ETag"] == f'"{sha256(CONTENT)}"'


def test_what_arrived_is_not_asked_for_again(hub):
    hub.client.put(hub.links(CONTENT)[0], CONTENT, content_type=STREAM)

    told = hub.batch(CONTENT, OTHER).json()["objects"]

    assert ["actions" in each for each in told] == [False, True]


def test_what_another_organisation_holds_is_asked_for_here(hub, program):
    stranger = a_person()
    a_case(lead=stranger)
    client = program(stranger)
    asked = {"name": "x", "type": "dataset"}
    answer = client.post(
        "/api/repos/create", json.dumps(asked), content_type="application/json"
    )
    theirs = Hub(client, answer.json()["id"])
    client.put(theirs.links(CONTENT)[0], CONTENT, content_type=STREAM)

    assert "actions" in hub.batch(CONTENT).json()["objects"][0]


@pytest.mark.parametrize("content", [OTHER, CONTENT[:-1] + b"x"])
def test_other_bytes_than_announced_are_not_kept(hub, content):
    answer = put(hub, hub.links(CONTENT)[0], content)

    assert (answer.status_code, Blob.objects.count()) == (422, 0)
    assert answer.json()["code"] == "other_bytes"


@pytest.mark.parametrize("content", [CONTENT[:-1], CONTENT + b"x", b""])
def test_more_or_fewer_bytes_are_refused_before_the_first(hub, content):
    answer = put(hub, hub.links(CONTENT)[0], content)

    assert (answer.status_code, Blob.objects.count()) == (422, 0)
    assert answer.json()["code"] == "other_size"


def test_a_link_used_twice_does_no_harm(hub):
    link = hub.links(CONTENT)[0]

    assert [put(hub, link, CONTENT).status_code for _time in range(2)] == [200, 200]
    assert put(hub, link, OTHER).status_code == 422
    assert (Blob.objects.count(), Arrival.objects.count()) == (1, 1)


def test_a_link_is_for_one_repository(hub, made):
    other = made("datasets", "other")
    hub.client.put(other.links(CONTENT)[0], CONTENT, content_type=STREAM)

    arrived = Arrival.objects.get()
    assert arrived.repository.repo_id == other.repo_id
    assert "actions" in hub.batch(CONTENT).json()["objects"][0]


@pytest.mark.parametrize("change", ["cut", "turn", "salt", "none"])
def test_a_forged_link_opens_nothing(hub, change):
    link = hub.links(CONTENT)[0]
    signed = link.rpartition("/")[2]
    forged = {
        "cut": signed[:-1],
        "turn": "A" + signed[1:],
        "salt": signing.dumps([1, 1, sha256(CONTENT), len(CONTENT), ""], salt="other"),
        "none": "x",
    }[change]

    answer = put(hub, link.replace(signed, forged), CONTENT)

    assert (answer.status_code, Blob.objects.count()) == (403, 0)


def test_an_old_link_opens_nothing(hub):
    link = hub.links(CONTENT)[0]
    with time_machine.travel(timezone.now() + timedelta(seconds=links.BASIC_S + 60)):
        assert put(hub, link, CONTENT).status_code == 403
    assert Blob.objects.count() == 0


def test_a_link_of_somebody_suspended_opens_nothing(hub, lead):
    link = hub.links(CONTENT)[0]
    lead.is_active = False
    lead.save()

    assert (put(hub, link, CONTENT).status_code, Blob.objects.count()) == (403, 0)


def test_a_link_ends_with_the_part_in_the_case(program, hub, case):
    partner = a_person()
    part = a_partner(case, lead=partner)
    theirs = Hub(program(partner), hub.repo_id)
    link = theirs.links(CONTENT)[0]
    part.state = "left"
    part.save()

    assert (put(theirs, link, CONTENT).status_code, Blob.objects.count()) == (403, 0)


def test_a_link_ends_with_the_case_and_the_repository(hub, case):
    link = hub.links(CONTENT)[0]
    case.state = "closed"
    case.save()

    assert put(hub, link, CONTENT).status_code == 409
    Repository.objects.all().update(case=None)
    assert put(hub, link, CONTENT).status_code == 403


def test_a_body_that_is_cut_leaves_nothing(hub, settings):
    class Cut:
        """A client that goes away in the middle."""

        def __init__(self):
            self.left = 3

        def read(self, size=-1):
            self.left -= 1
            return CONTENT[:1000] if self.left > 0 else b""

        readline = read

        def close(self):
            pass

    link = hub.links(CONTENT)[0]
    answer = Client().generic("PUT", link, b"", **{
        "wsgi.input": Cut(), "CONTENT_LENGTH": str(len(CONTENT)), "CONTENT_TYPE": STREAM,
    })  # fmt: skip

    assert (answer.status_code, Blob.objects.count()) == (422, 0)
    assert list(settings.STORE_HOME.glob("*/incoming/*")) == []


@pytest.mark.parametrize("broken", [NoMoreData(), InvalidChunkSize(b"-5"), TimeoutError()])
def test_a_body_in_chunks_that_is_cut_silent_or_odd_leaves_nothing(hub, settings, broken):
    class Chunked:
        """What our web server gives for a body without a length."""

        def __init__(self):
            self.pieces = iter([CONTENT[:1000]])

        def read(self, _size):
            for piece in self.pieces:
                return piece
            raise broken

        readline = read

    link = hub.links(CONTENT)[0]
    answer = Client().generic("PUT", link, b"", **{
        "wsgi.input": Chunked(), "CONTENT_LENGTH": "", "HTTP_TRANSFER_ENCODING": "chunked",
    })  # fmt: skip

    assert (answer.status_code, answer.json()["code"]) == (400, "cut")
    assert Blob.objects.count() == 0
    assert list(settings.STORE_HOME.glob("*/incoming/*")) == []


def test_a_file_beyond_the_limit_is_said_so_before_it_is_sent(hub, settings):
    settings.UPLOAD_LIMIT_BYTES = 1000

    told = hub.batch(CONTENT).json()["objects"][0]

    assert (told["error"]["code"], "actions" in told) == (413, False)


@pytest.mark.parametrize(
    "wish",
    [
        {},
        {"operation": "download", "objects": []},
        {"operation": "upload"},
        {"operation": "upload", "objects": [1]},
        {"operation": "upload", "objects": [{"oid": "x", "size": 1}]},
        {"operation": "upload", "objects": [{"oid": "0" * 64, "size": -1}]},
        {"operation": "upload", "objects": [{"oid": "0" * 64, "size": True}]},
        {"operation": "upload", "objects": [{"oid": 7, "size": 1}]},
        {"operation": "upload", "objects": [{"oid": "0" * 64, "size": 1}] * 2001},
    ],
)
def test_what_asks_for_no_upload_is_refused(hub, wish):
    answer = hub.client.post(
        f"{hub.files}.git/info/lfs/objects/batch",
        json.dumps(wish),
        content_type="application/json",
    )

    assert answer.status_code in {400, 422, 501}


def test_a_reading_token_gets_no_link(program, hub, lead):
    reading = Hub(program(lead, scope="read"), hub.repo_id)

    assert reading.batch(CONTENT).status_code == 403


# --- in parts ----------------------------------------------------------------------------
@pytest.fixture
def in_parts(monkeypatch):
    monkeypatch.setattr(parts, "PART_BYTES", 400_000)
    monkeypatch.setattr(parts, "WORTH_PARTS_BYTES", 1000)


def told(hub, content=CONTENT):
    answer = hub.batch(content, transfers=("basic", "multipart")).json()
    upload = answer["objects"][0]["actions"]["upload"]
    header = {k: v.replace("http://testserver", "") for k, v in upload["header"].items()}
    return upload["href"].replace("http://testserver", ""), header


def send(hub, header, content=CONTENT, *, only=()):
    size = int(header["chunk_size"])
    numbers = only or sorted(k for k in header if k.isdigit())
    starts = {number: (int(number) - 1) * size for number in numbers}
    return [put(hub, header[n], content[at : at + size]) for n, at in starts.items()]


def done(hub, href):
    wish = json.dumps({"oid": sha256(CONTENT), "parts": []})
    return hub.client.post(href, wish, content_type="application/vnd.git-lfs+json")


def test_a_very_large_file_comes_in_parts(hub, in_parts, settings):
    href, header = told(hub)
    answers = send(hub, header)

    assert [a.status_code for a in answers] == [200, 200, 200]
    assert all(a["ETag"] for a in answers)
    assert [done(hub, href).status_code for _time in range(2)] == [200, 200]
    assert Blob.objects.get().sha256 == sha256(CONTENT)
    assert list((settings.STORE_HOME / "uploads" / "incoming").iterdir()) == []


def test_parts_may_come_again_and_in_any_order(hub, in_parts):
    href, header = told(hub)
    size = int(header["chunk_size"])
    for number in ("00003", "00001", "00003", "00002"):
        at = int(number) - 1
        put(hub, header[number], CONTENT[at * size : (at + 1) * size])

    assert (done(hub, href).status_code, Blob.objects.count()) == (200, 1)


@pytest.mark.parametrize("sent", [[], ["00001"], ["00003"], ["00001", "00003"]])
def test_a_part_that_is_missing_is_named_before_a_byte_is_read(
    hub, in_parts, monkeypatch, sent
):
    """Else who sends one byte far behind lets the factory hash as many zeros as they like."""
    href, header = told(hub)
    if sent:
        send(hub, header, only=sent)
    with monkeypatch.context() as broken:
        broken.setattr(parts, "hashed", lambda _file: 1 / 0)
        answer = done(hub, href)

    assert (answer.status_code, answer.json()["code"]) == (422, "part_missing")
    assert f"Part {2 if '00001' in sent else 1} " in answer.json()["error"]
    send(hub, header)  # what came stays, and comes again without harm
    assert (done(hub, href).status_code, Blob.objects.count()) == (200, 1)


def test_other_bytes_in_a_part_are_told_at_the_end_and_all_of_it_goes(hub, in_parts, settings):
    href, header = told(hub)
    send(hub, header)
    put(hub, header["00002"], OTHER[: int(header["chunk_size"])])

    answer = done(hub, href)

    assert (answer.status_code, answer.json()["code"]) == (422, "other_bytes")
    assert list((settings.STORE_HOME / "uploads" / "incoming").iterdir()) == []


def test_what_another_upload_brought_meanwhile_lets_the_parts_go(hub, in_parts, settings):
    href, header = told(hub)
    send(hub, header)
    put(hub, hub.links(CONTENT)[0], CONTENT)

    assert done(hub, href).status_code == 200
    assert list((settings.STORE_HOME / "uploads" / "incoming").iterdir()) == []


def test_of_two_who_end_it_at_once_both_are_done(hub, in_parts, monkeypatch):
    href, header = told(hub)
    send(hub, header)
    lock, answers = parts._lock, []  # noqa: SLF001

    def first_the_other(descriptor, how):
        monkeypatch.setattr(parts, "_lock", lock)
        answers.append(done(hub, href).status_code)
        lock(descriptor, how)

    monkeypatch.setattr(parts, "_lock", first_the_other)
    answers.append(done(hub, href).status_code)

    assert (answers, Blob.objects.count()) == ([200, 200], 1)


def test_a_part_leaves_the_disk_what_it_needs_itself(hub, in_parts, monkeypatch, settings):
    _href, header = told(hub)
    first = send(hub, header, only=["00001"])
    disk = type("Disk", (), {"total": 10**9, "free": 2 * 10**7 + 399_999})
    monkeypatch.setattr(incoming.shutil, "disk_usage", lambda _folder: disk)

    full = send(hub, header, only=["00002"])

    assert [a.status_code for a in first + full] == [200, 507]
    folder = settings.STORE_HOME / "uploads" / "incoming"
    assert max(path.stat().st_size for path in folder.iterdir()) == 400_000


def test_more_than_a_part_has_does_not_count(hub, in_parts):
    href, header = told(hub)
    send(hub, header)
    size = int(header["chunk_size"])

    answer = Client().generic("PUT", header["00001"], b"", **{
        "wsgi.input": BytesIO(CONTENT[: size + 1]), "CONTENT_LENGTH": "",
        "HTTP_TRANSFER_ENCODING": "chunked", "CONTENT_TYPE": STREAM,
    })  # fmt: skip

    assert (answer.status_code, answer.json()["code"]) == (422, "other_size")
    assert done(hub, href).status_code == 200  # what came of it is what was there


def test_a_part_of_another_length_or_number_is_refused(hub, in_parts):
    _href, header = told(hub)
    size = int(header["chunk_size"])

    assert put(hub, header["00001"], CONTENT[: size - 1]).status_code == 422
    for number in "90":
        answer = put(hub, header["00001"][:-1] + number, CONTENT[:size])
        assert (answer.status_code, answer.json()["code"]) == (422, "no_such_part")


def test_a_late_part_changes_nothing_of_what_was_put_together(hub, in_parts):
    href, header = told(hub)
    send(hub, header)
    done(hub, href)

    send(hub, header, OTHER)

    hub.commit(large("a.bin", CONTENT))
    answer = hub.resolve("a.bin")
    assert body(answer) == CONTENT


def test_what_came_in_parts_is_taken_in_itself_and_not_a_copy(hub, in_parts, settings):
    href, header = told(hub)
    send(hub, header)
    incoming_folder = settings.STORE_HOME / "uploads" / "incoming"
    [parts_file] = set(incoming_folder.iterdir()) - set(incoming_folder.glob("parts-of-*"))
    inode = parts_file.stat().st_ino

    done(hub, href)

    [stored] = settings.STORE_HOME.rglob(sha256(CONTENT))
    assert (stored.stat().st_ino, stored.stat().st_nlink) == (inode, 1)


def test_a_part_that_opened_the_file_before_it_was_taken_in_is_refused(
    hub, in_parts, monkeypatch
):
    href, header = told(hub)
    send(hub, header)
    lock = parts._lock  # noqa: SLF001
    answers = []

    def first_put_together(descriptor, how):
        monkeypatch.setattr(parts, "_lock", lock)
        answers.append(done(hub, href).status_code)
        lock(descriptor, how)

    monkeypatch.setattr(parts, "_lock", first_put_together)
    answers.append(send(hub, header, OTHER)[0].status_code)

    assert answers == [200, 409]
    hub.commit(large("a.bin", CONTENT))
    assert body(hub.resolve("a.bin")) == CONTENT


def test_what_stopped_while_it_was_taken_in_is_taken_in_the_next_time(
    hub, in_parts, monkeypatch
):
    href, header = told(hub)
    send(hub, header)
    with monkeypatch.context() as broken:
        broken.setattr(arriving, "_arrived", lambda *_a, **_k: 1 / 0)
        with pytest.raises(ZeroDivisionError):
            done(hub, href)

    assert send(hub, header, OTHER)[0].status_code == 409  # its bytes lie in the store by now
    assert done(hub, href).status_code == 200
    hub.commit(large("a.bin", CONTENT))
    assert body(hub.resolve("a.bin")) == CONTENT


def test_while_a_part_comes_in_nothing_is_put_together(hub, in_parts):
    href, header = told(hub)
    send(hub, header)
    upload = links.read(href.split("/")[-2])

    with parts._shared(upload, 1):  # noqa: SLF001  as a part that is on its way
        answer = done(hub, href)

    assert (answer.status_code, Blob.objects.count()) == (409, 0)
    assert done(hub, href).status_code == 200


def test_a_link_for_one_piece_takes_no_parts(hub):
    link = hub.links(CONTENT)[0]

    assert put(hub, f"{link}/parts/1", CONTENT).status_code == 403
    assert done(hub, f"{link}/complete").status_code == 403
