"""Many files in one stream: in, out, and everything a stranger could put in a tar."""

import hashlib
import io
import tarfile

import pytest
from blake3 import blake3

from fabriek import tar_header
from fabriek.datasets import as_zip, bundles, tar_stream
from fabriek.datasets.models import Dataset
from fabriek.kernel.errors import Invalid, NotAllowed, Refused
from fabriek.kernel.models import Entry
from fabriek.people.models import Person
from fabriek.store import retention
from fabriek.store.models import Blob, Revision
from tests.datasets.conftest import made, push
from tests.factories import a_partner, a_person, an_organisation
from tests.store.test_files import everything_below

pytestmark = pytest.mark.django_db
FILES = {
    "a.txt": b"one",
    "map/" + "x" * 120 + "/é\u0301\u4e2d.bin": b"\0" * 700,
    "map/groot.bin": bytes(range(256)) * 9000,  # more than is read at a time
}


def sha256(content):
    return hashlib.sha256(content).hexdigest()


def a_tar(files=FILES, *, shape=tarfile.PAX_FORMAT, more=()):
    """Write a tar as Python does; `more` are entries of any kind, put in between."""
    written = io.BytesIO()
    with tarfile.open(fileobj=written, mode="w", format=shape) as tar:
        for name, content in files.items():
            entry = tarfile.TarInfo(name)
            entry.size = len(content)
            tar.addfile(entry, io.BytesIO(content))
        for entry in more:
            tar.addfile(entry)
    return written.getvalue()


def an_entry(name, kind, **facts):
    entry = tarfile.TarInfo(name)
    entry.type = kind
    for fact, value in facts.items():
        setattr(entry, fact, value)
    return entry


def read(tar):
    return {found.path: b"".join(found.content) for found in tar_stream.files(io.BytesIO(tar))}


@pytest.fixture
def client(program, lead):
    return program(lead)


def send(client, dataset, tar, **more):
    return client.post(
        f"/api/datasets/{dataset.code}/bundle", tar, content_type="application/x-tar", **more
    )


def save(client, dataset, files):
    named = [{"path": path, "sha256": digest} for path, digest in files.items()]
    return client.post(
        f"/api/datasets/{dataset.code}/revisions",
        {"files": named},
        content_type="application/json",
    )


# --- in ----------------------------------------------------------------------------------
@pytest.mark.parametrize("shape", [tarfile.PAX_FORMAT, tarfile.GNU_FORMAT])
def test_a_tar_of_any_kind_is_read(shape):
    assert read(a_tar(shape=shape)) == FILES


def test_a_tar_of_a_folder_is_read(tmp_path):
    (tmp_path / "in").mkdir()
    (tmp_path / "in/a.txt").write_bytes(b"one")
    written = io.BytesIO()
    with tarfile.open(fileobj=written, mode="w") as tar:
        tar.add(tmp_path, arcname=".")

    assert read(written.getvalue()) == {"in/a.txt": b"one"}


def test_what_was_not_read_of_a_file_is_passed_over():
    names = [found.path for found in tar_stream.files(io.BytesIO(a_tar()))]

    assert names == list(FILES)


def test_files_that_came_together_are_named_in_a_revision(client, dataset):
    sent = send(client, dataset, a_tar())

    assert sent.status_code == 201
    names = {path: sha256(content) for path, content in FILES.items()}
    told = sent.json()["files"]
    assert sorted(told.values()) == sorted(names.values())
    assert sent.json()["blake3"] == {
        blake3(content).hexdigest(): sha256(content) for content in FILES.values()
    }
    saved = save(client, dataset, told)
    assert (saved.status_code, saved.json()["file_count"]) == (201, 3)
    out = client.get(f"/api/datasets/{dataset.code}/bundle").getvalue()
    assert sorted(read(out).values()) == sorted(FILES.values())


@pytest.mark.parametrize(
    ("entry", "named"),
    [
        (an_entry("link", tarfile.SYMTYPE, linkname="/etc/passwd"), "link"),
        (an_entry("hard", tarfile.LNKTYPE, linkname="a.txt"), "hard"),
        (an_entry("disk", tarfile.BLKTYPE, devmajor=8), "disk"),
        (an_entry("tty", tarfile.CHRTYPE), "tty"),
        (an_entry("pipe", tarfile.FIFOTYPE), "pipe"),
        (an_entry("holes", tarfile.GNUTYPE_SPARSE), "holes"),
    ],
)
def test_what_is_no_plain_file_is_refused_by_name(client, dataset, entry, named):
    answer = send(client, dataset, a_tar({}, more=[entry]))

    assert (answer.status_code, answer.json()["code"]) == (422, "no_plain_file")
    assert answer.json()["detail"].startswith(f"“{named}” is no plain file")


def test_a_hollow_file_of_the_newer_format_is_refused(client, dataset):
    entry = an_entry("holes", tarfile.REGTYPE, pax_headers={"GNU.sparse.major": "1"})

    assert send(client, dataset, a_tar({}, more=[entry])).json()["code"] == "no_plain_file"


@pytest.mark.parametrize(
    "path", ["../up.txt", "/etc/passwd", "a/../../b", ".git/config", "con"]
)
def test_a_path_that_leads_elsewhere_is_refused(client, dataset, settings, path):
    answer = send(client, dataset, a_tar({path: b"x"}))

    assert (answer.status_code, answer.json()["code"]) == (422, "path")
    assert everything_below(settings.STORE_HOME) == []


def test_an_empty_file_is_refused_by_name(client, dataset):
    answer = send(client, dataset, a_tar({"leeg.txt": b""}))

    assert answer.json()["code"] == "empty_file"
    assert "“leeg.txt”" in answer.json()["detail"]


def a_damaged(position, value):
    tar = bytearray(a_tar({"a.txt": b"one"}, shape=tarfile.USTAR_FORMAT))
    tar[position : position + len(value)] = value
    return bytes(tar)


def signed(tar):
    """Make the sum of the first header right again."""
    header = bytearray(tar[:512])
    header[148:156] = b" " * 8
    header[148:156] = f"{sum(header):06o}\0 ".encode()
    return bytes(header) + tar[512:]


@pytest.mark.parametrize(
    ("tar", "code"),
    [
        (b"no tar at all" * 100, "no_tar"),
        (b"x", "cut"),
        (b"", "cut"),
        (a_damaged(0, b"b"), "no_tar"),  # the sum of the header is wrong
        (signed(a_damaged(124, b"99999999999\0")), "no_tar"),
        (signed(a_damaged(124, b"-0000000001\0")), "no_tar"),
        (signed(a_damaged(124, b"\x80" + b"\xff" * 11)), "cut"),
        (signed(a_damaged(124, b"77777777777\0")), "cut"),
        (signed(a_damaged(156, b"x")), "no_tar"),
        (signed(a_damaged(0, b"\xff\xfe.txt")), "path"),
    ],
)
def test_what_is_no_tar_or_lies_about_itself_is_refused(client, dataset, tar, code):
    answer = send(client, dataset, tar)

    assert (answer.status_code, answer.json()["code"]) == (422, code)
    assert not Revision.objects.exists()


@pytest.mark.parametrize("tenth", range(10))
def test_cut_at_any_tenth_nothing_half_is_kept(client, dataset, tenth):
    # Without the zeros that fill the last record up: where the files end, all has come.
    tar = a_tar({f"{n}.bin": bytes([n]) * 3000 for n in range(10)})[: 10 * (512 + 3072) + 512]
    really = {"wsgi.input": io.BytesIO(tar[: len(tar) * tenth // 10])}

    answer = send(client, dataset, tar, **really)

    assert (answer.status_code, answer.json()["code"]) == (422, "cut")
    assert set(Blob.objects.values_list("size_bytes", flat=True)) <= {3000}
    again = send(client, dataset, tar)
    assert again.status_code == 201
    assert len(again.json()["files"]) == 10


@pytest.mark.parametrize(
    ("name", "size_bytes"),
    [("a.txt", 0), ("b/" * 49 + "cc", 8**11 - 1), ("é.txt", 3), ("c" * 101, 3), ("d", 8**11)],
)
def test_our_headers_are_those_of_tarfile(name, size_bytes):
    entry = tarfile.TarInfo(name)
    entry.size = size_bytes

    assert tar_header.of(name, size_bytes) == entry.tobuf(tarfile.PAX_FORMAT)


def test_a_header_of_endless_names_is_refused(client, dataset):
    entry = an_entry("a" * 70_000, tarfile.REGTYPE)

    assert send(client, dataset, a_tar({}, more=[entry])).json()["code"] == "no_tar"


def a_record(name, value):
    """Write a record of the newer format, with its own length before it."""
    body = b" " + name + b"=" + value + b"\n"
    length = len(body)
    while len(str(length)) + len(body) != length:
        length = len(str(length)) + len(body)
    return str(length).encode() + body


def with_records(records):
    header = an_entry("records", tarfile.XHDTYPE, size=len(records))
    padded = records + bytes(-len(records) % 512)
    return header.tobuf(tarfile.USTAR_FORMAT) + padded + a_tar({"a.txt": b"1"})


@pytest.mark.parametrize(
    "records",
    [
        a_record(b"size", b"0" * 5000),
        a_record(b"size", b"9" * 5000),
        b"060000" + b"0" * 4994 + b" path=x\n" + b"a" * 56_000,
        b"9" * 5000 + b" path=x\n",
    ],
)
def test_numbers_of_thousands_of_digits_are_refused(client, dataset, records):
    answer = send(client, dataset, with_records(records))

    assert (answer.status_code, answer.json()["code"]) == (422, "no_tar")


def test_strangers_and_colleagues(client, program, dataset):
    push(dataset, {"a.txt": b"1"})
    partner = a_person()
    a_partner(dataset.case, organisation=an_organisation(member=partner))

    assert send(program(partner), dataset, a_tar()).status_code == 201
    for person in (a_person(), a_person(duty="staff")):
        other = program(person)
        assert send(other, dataset, a_tar()).status_code == 404
        for rest in ("bundle", "listing", "changes"):
            assert other.get(f"/api/datasets/{dataset.code}/{rest}").status_code == 404


def test_the_actions_refuse_strangers_themselves(dataset):
    saved = push(dataset, {"a.txt": b"1"})
    stranger = a_person(duty="staff")

    with pytest.raises(NotAllowed):
        bundles.take_in(dataset, io.BytesIO(a_tar()), by=stranger)
    with pytest.raises(NotAllowed):
        bundles.give_out(dataset, saved, bundles.Wanted(), by=stranger)


# --- out ---------------------------------------------------------------------------------
def test_what_is_given_out_can_be_chosen_and_gone_on_with(client, dataset, monkeypatch):
    monkeypatch.setattr(bundles, "ROWS_AT_ONCE", 2)
    files = {f"{place}/{n}.bin": bytes([n]) * n * 100 for place in "ab" for n in range(1, 6)}
    push(dataset, files)

    def got(**asked):
        return read(client.get(f"/api/datasets/{dataset.code}/bundle", asked).getvalue())

    assert got() == files
    assert got(under="a").keys() == {f"a/{n}.bin" for n in range(1, 6)}
    assert got(below=300).keys() == {f"{place}/{n}.bin" for place in "ab" for n in (1, 2)}
    assert got(after="a/4.bin").keys() == {"a/5.bin"} | {f"b/{n}.bin" for n in range(1, 6)}
    entry = Entry.objects.filter(verb="datasets.download_many").order_by("pk").last()
    assert entry.details == {"code": dataset.code, "revision": 1, "under": "", "files": 6}


@pytest.mark.parametrize("kind", [bundles, as_zip])
def test_what_is_dropped_while_it_is_given_out_does_not_end_as_if_whole(
    dataset, lead, monkeypatch, kind
):
    first = push(dataset, {"a.bin": b"1" * 2**20, "b.bin": b"2" * 2**20, "c.bin": b"3"})
    push(dataset, {"d.bin": b"4"})
    monkeypatch.setattr(bundles, "ROWS_AT_ONCE", 1)
    wanted = [bundles.Wanted()] if kind is bundles else []
    pieces = kind.give_out(dataset, first, *wanted, by=lead)
    next(pieces)

    retention.drop(dataset.repository, retention.Wish(numbers=[1]), by=None)

    with pytest.raises(Refused, match="removed by its owner"):
        list(pieces)


ENDS = {
    "part": (lambda who: who.memberships.all().delete(), NotAllowed),
    "account": (lambda who: Person.objects.update(is_active=False), NotAllowed),
    "dataset": (lambda _who: Dataset.objects.all().delete(), Refused),
}


@pytest.mark.parametrize("end", ENDS)
@pytest.mark.parametrize("kind", [bundles, as_zip])
def test_who_may_not_read_any_more_gets_no_more_of_a_stream(
    dataset, lead, monkeypatch, kind, end
):
    monkeypatch.setattr(bundles, "LOOK_AGAIN_S", 0)
    saved = push(dataset, {"a.bin": b"1" * 2**20, "b.bin": b"2" * 2**23})
    wanted = [bundles.Wanted()] if kind is bundles else []
    pieces = kind.give_out(dataset, saved, *wanted, by=lead)
    next(pieces)
    loses, refusal = ENDS[end]

    loses(lead)

    with pytest.raises(refusal):
        list(pieces)


def test_a_folder_is_no_other_one_in_capitals(client, dataset):
    push(dataset, {"a/1.bin": b"1", "A/2.bin": b"2"})

    answer = client.get(f"/api/datasets/{dataset.code}/bundle", {"under": "a"})

    assert read(answer.getvalue()) == {"a/1.bin": b"1"}


def test_a_listing_proves_itself(client, dataset):
    saved = push(dataset, {"b.txt": b"2", "a b.txt": b"1"})

    answer = client.get(f"/api/datasets/{dataset.code}/listing")

    assert answer.content.decode() == (f"{sha256(b'1')} 1 a b.txt\n{sha256(b'2')} 1 b.txt\n")
    assert answer["Fabriek-Digest"] == sha256(answer.content) == saved.digest
    assert answer["Fabriek-Revision"] == "1"


# --- what changed ------------------------------------------------------------------------
def test_what_changed_is_told_by_file_and_counted(client, dataset, lead):
    push(dataset, {"stays": b"1", "changes": b"1", "goes": b"12"})
    push(dataset, {"changes": b"123", "comes": b"1"})
    client.post(
        f"/api/datasets/{dataset.code}/revisions",
        {"delete": ["goes"]},
        content_type="application/json",
    )
    at = f"/api/datasets/{dataset.code}"

    told = client.get(f"{at}/changes", {"revision": 3, "since": 1}).json()
    log = client.get(f"{at}/revisions", {"changes": "true"}).json()["items"]

    assert {each["path"]: each["kind"] for each in told["changes"]} == {
        "changes": "changed",
        "comes": "added",
        "goes": "removed",
    }
    assert (told["added"], told["changed"], told["removed"]) == (1, 1, 1)
    assert (told["bytes_added"], told["bytes_removed"]) == (4, 3)
    assert [each["changes"] for each in log] == [
        {"added": 0, "changed": 0, "removed": 1},
        {"added": 1, "changed": 1, "removed": 0},
        {"added": 3, "changed": 0, "removed": 0},
    ]
    assert client.get(f"{at}/changes", {"revision": 1}).json()["since"] is None
    assert client.get(f"{at}/changes", {"revision": 1, "since": 9}).status_code == 404


def test_a_revision_of_many_files_is_larger_than_a_form(client, dataset):
    sent = send(client, dataset, a_tar({"a.bin": b"x"})).json()["files"]["a.bin"]
    many = {f"{'d' * 80}/{n:06d}.bin": sent for n in range(20_000)}

    saved = save(client, dataset, many)

    assert (saved.status_code, saved.json()["file_count"]) == (201, 20_000)


@pytest.mark.parametrize(
    ("body", "status", "code"),
    [(b"{half", 400, "unreadable"), (b'{"files": [{"path": 1}]}', 422, "invalid")],
)
def test_a_revision_that_cannot_be_read_is_refused(client, dataset, body, status, code):
    answer = client.post(
        f"/api/datasets/{dataset.code}/revisions", body, content_type="application/json"
    )

    assert (answer.status_code, answer.json()["code"]) == (status, code)


def test_no_tar_is_an_invalid_thing():
    with pytest.raises(Invalid):
        list(tar_stream.files(io.BytesIO(b"x" * 512)))


# --- a file from the middle on -------------------------------------------------------------
def test_a_file_is_gone_on_with_from_any_byte(client, dataset):
    push(dataset, {"a.bin": b"0123456789"})
    at = f"/api/datasets/{dataset.code}/files/a.bin"

    def asked(header):
        return client.get(at, headers={"Range": header})

    rest = asked("bytes=4-")
    assert (rest.status_code, rest.getvalue()) == (206, b"456789")
    assert rest["Content-Range"] == "bytes 4-9/10"
    for whole in ("bytes=0-", "bytes=2-3", "rows=1-", "bytes=x"):
        answer = asked(whole)
        assert (answer.status_code, answer.getvalue()) == (200, b"0123456789")
    none = asked("bytes=10-")
    assert (none.status_code, none["Content-Range"]) == (416, "bytes */10")


def test_two_datasets_of_a_case_are_told_apart(client, dataset, lead):
    other = made(by=lead, case=dataset.case, title="Anders")
    push(dataset, {"a.txt": b"1"})

    assert client.get(f"/api/datasets/{other.code}/listing").status_code == 404
