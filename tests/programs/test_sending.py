"""Code that is sent becomes a revision: plain files only, no more than may be, of one case."""

import io
import stat
import tarfile
import zipfile

import pytest

from fabriek.kernel.errors import Invalid, NotAllowed, Refused, TooLarge, WrongState
from fabriek.programs import archive
from fabriek.programs.models import Sent
from fabriek.store import queries as store
from fabriek.store.models import Repository, Revision
from tests.agreements.policy_world import an_agreement
from tests.factories import a_case, a_partner, a_person, a_repository
from tests.programs.conftest import TRAIN, a_tar, a_zip, sent
from tests.runs.world import pushed

COMMIT = "0123456789abcdef0123456789abcdef01234567"


def names(revision):
    return sorted(store.listing(revision))


# --- it works --------------------------------------------------------------------------
@pytest.mark.parametrize("pack", [a_tar, a_zip])
def test_what_is_sent_is_kept_as_a_revision(world, pack):
    files = {"train.py": TRAIN, "parts/net.py": "x = 1\n", "empty.txt": ""}

    revision = sent(world, archive=pack(files))

    repository = revision.repository
    assert names(revision) == ["empty.txt", "parts/net.py", "train.py"]
    assert (repository.kind, repository.is_open, repository.case) == ("code", False, world.case)
    assert repository.code.startswith("P")
    assert repository.title == "trial"


def test_the_same_name_again_is_its_next_revision_without_what_is_gone(world):
    first = sent(world, {"train.py": TRAIN, "old.py": "1"})
    second = sent(world, {"train.py": "print(2)\n"}, name="Trial")
    again = sent(world, {"train.py": "print(2)\n"})

    assert second.repository == first.repository
    assert (first.number, second.number, again) == (1, 2, second)
    assert names(second) == ["train.py"]
    assert names(first) == ["old.py", "train.py"]


def test_from_which_commit_it_comes_is_remembered(world):
    dirty = sent(world, commit=COMMIT, has_changes=True)
    assert (dirty.sent.commit, dirty.sent.has_changes) == (COMMIT, True)

    clean = sent(world, commit="f" * 40)

    found = Sent.objects.get(revision=clean)
    assert clean == dirty
    assert (found.commit, found.has_changes) == ("f" * 40, False)


def test_a_folder_around_all_of_it_is_taken_away_unless_it_is_meant(world):
    files = {"mine-main/train.py": TRAIN, "mine-main/src/a.py": "1"}

    assert names(sent(world, files, is_plain=False)) == ["src/a.py", "train.py"]
    assert names(sent(world, files, name="other")) == [
        "mine-main/src/a.py",
        "mine-main/train.py",
    ]


def test_what_tools_leave_behind_is_left_out(world):
    files = {"a.py": "1", "__pycache__/a.pyc": "x", ".git/config": "x", "__MACOSX/._a.py": "x"}

    assert names(sent(world, files)) == ["a.py"]


# --- who -------------------------------------------------------------------------------
def test_a_stranger_and_staff_cannot_send(world):
    for person in (a_person(), a_person(duty="staff")):
        with pytest.raises(NotAllowed):
            sent(world, by=person)

    assert not Repository.objects.filter(kind="code").exists()


def test_nothing_is_sent_where_own_code_is_not_run(world, settings):
    settings.OWN_CODE = False

    with pytest.raises(WrongState) as refused:
        sent(world)

    assert refused.value.code == "own_code_not_offered"


def test_a_case_of_others_and_one_that_is_not_answer_alike(world, program):
    other = a_case()
    client = program(world.person)

    answers = [
        client.post(f"/api/code/?case={code}&name=x", b"", content_type="application/gzip")
        for code in (other.code, "C26-9999")
    ]

    assert {one.status_code for one in answers} == {404}
    assert answers[0].content == answers[1].content


# --- hostile archives ------------------------------------------------------------------
def a_link(name, to, kind=tarfile.SYMTYPE):
    entry = tarfile.TarInfo(name)
    entry.type, entry.linkname = kind, to
    return entry


def a_device(name, kind):
    entry = tarfile.TarInfo(name)
    entry.type = kind
    return entry


@pytest.mark.parametrize(
    "entry",
    [
        a_link("x", "/etc/passwd"),
        a_link("x", "train.py"),
        a_link("x", "train.py", tarfile.LNKTYPE),
        a_device("x", tarfile.CHRTYPE),
        a_device("x", tarfile.FIFOTYPE),
    ],
)
def test_links_and_devices_are_refused(world, entry):
    with pytest.raises(Invalid) as refused:
        sent(world, {"train.py": TRAIN, "x": entry})

    assert refused.value.code == "no_plain_file"
    assert not Revision.objects.filter(repository__kind="code").exists()


def test_a_link_in_a_zip_is_refused(world):
    packed = a_zip({"train.py": TRAIN})
    with zipfile.ZipFile(packed, "a") as pack:
        link = zipfile.ZipInfo("x")
        link.external_attr = (stat.S_IFLNK | 0o777) << 16
        pack.writestr(link, "/etc/passwd")
    packed.seek(0)

    with pytest.raises(Invalid) as refused:
        sent(world, archive=packed)

    assert refused.value.code == "no_plain_file"


@pytest.mark.parametrize("pack", [a_tar, a_zip])
@pytest.mark.parametrize("name", ["../x.py", "/etc/x.py", "a/../../x.py", "C:/x.py", "a\\x.py"])
def test_names_that_lead_elsewhere_are_refused(world, pack, name):
    with pytest.raises(Invalid) as refused:
        sent(world, archive=pack({"train.py": TRAIN, name: "x"}))

    assert refused.value.code == "path"
    assert not Revision.objects.filter(repository__kind="code").exists()


def test_two_names_that_one_disk_takes_for_one_are_refused(world):
    with pytest.raises(Invalid):
        sent(world, {"Train.py": "1", "train.py": "2"})


@pytest.mark.parametrize("pack", [a_tar, a_zip])
def test_what_unpacks_to_more_than_may_be_is_refused(world, settings, pack):
    settings.CODE_LIMIT_BYTES = 2**20
    bomb = pack({"a": b"\0" * 2**19, "b": b"\0" * 2**19, "c": b"\0"})
    assert bomb.getbuffer().nbytes < 10_000

    with pytest.raises(TooLarge) as refused:
        sent(world, archive=bomb)

    assert refused.value.code == "too_much_code"


def test_a_stream_that_never_ends_is_read_no_further_than_its_bound(world, settings):
    """A header beside a file's own may be of any length, and is no file."""
    settings.CODE_LIMIT_BYTES = 2**16
    folder = a_device("f/", tarfile.DIRTYPE)
    bomb = a_tar({f"{number}": folder for number in range(40_000)})

    with pytest.raises(TooLarge):
        sent(world, archive=bomb)


@pytest.mark.parametrize("pack", [a_tar, a_zip])
def test_a_great_many_files_are_refused_at_the_first_too_many(world, monkeypatch, pack):
    monkeypatch.setattr(archive, "FILES_MAX", 20)
    limits = archive.Limits(size_bytes=2**20, files=20)
    packed = pack({f"{number}.txt": "x" for number in range(25)})

    with pytest.raises(TooLarge) as refused:
        list(archive.entries(packed, limits))

    assert refused.value.code == "too_many_files"


def test_a_zip_that_lies_about_a_size_is_refused(world):
    packed = a_zip({"train.py": "x" * 1000})
    raw = bytearray(packed.getvalue())
    at = raw.rindex(b"PK\x01\x02") + 24  # the size, in the list at the end
    raw[at : at + 4] = (10).to_bytes(4, "little")

    packed.seek(0)
    packed.write(raw)
    packed.seek(0)

    with pytest.raises(Refused):
        sent(world, archive=packed)


@pytest.mark.parametrize(
    "raw", [b"", b"hello", b"\x1f\x8b\x08broken", b"PK\x03\x04broken", a_tar({}).getvalue()]
)
def test_what_is_no_archive_or_an_empty_one_is_refused(world, raw):
    packed = a_tar({"a": "1"})
    packed.seek(0)
    packed.truncate()
    packed.write(raw)
    packed.seek(0)

    with pytest.raises(Invalid) as refused:
        sent(world, archive=packed)

    assert refused.value.code in {"no_archive", "no_files"}


def test_a_tar_that_is_cut_off_is_refused(world):
    whole = a_tar({"a": b"x" * 5000}, mode="w").getvalue()
    packed = a_tar({"a": "1"})
    packed.seek(0)
    packed.truncate()
    packed.write(whole[:2000])
    packed.seek(0)

    with pytest.raises(Invalid) as refused:
        sent(world, archive=packed)

    assert refused.value.code == "no_archive"


@pytest.mark.parametrize("length", [40, 64])
@pytest.mark.parametrize("kind", ["tar.gz", "tar", "zip"])
def test_what_git_archive_says_of_its_commit_is_kept(world, kind, length):
    commit = (COMMIT * 2)[:length]
    if kind == "zip":
        packed = a_zip({"train.py": TRAIN})
        with zipfile.ZipFile(packed, "a") as archive:
            archive.comment = commit.encode()
    else:
        packed = io.BytesIO()
        headers = {"format": tarfile.PAX_FORMAT, "pax_headers": {"comment": commit}}
        with tarfile.open(fileobj=packed, mode=f"w:{kind[4:]}", **headers) as archive:
            entry = tarfile.TarInfo("train.py")
            entry.size = len(TRAIN)
            archive.addfile(entry, io.BytesIO(TRAIN.encode()))
    packed.seek(0)

    revision = sent(world, archive=packed)

    assert (names(revision), revision.sent.commit) == (["train.py"], commit)


@pytest.mark.parametrize("commit", ["abc", "g" * 40, "0" * 41, "../" * 13 + "x"])
def test_what_is_no_commit_is_refused(world, commit):
    with pytest.raises(Invalid):
        sent(world, commit=commit)


@pytest.mark.parametrize("name", ["", "  ", "x" * 81, "a\x00b", "a\u202eb"])
def test_what_is_no_name_is_refused(world, name):
    with pytest.raises(Invalid):
        sent(world, name=name)


# --- data of others in it --------------------------------------------------------------
def test_a_copy_of_lent_data_in_code_is_bound_as_that_data(world):
    lent = a_repository(case=a_case(), code="D26-8801")
    pushed(lent, {"rows.jsonl": "x" * 4000}, a_person())
    agreement = an_agreement(lent, world.case, place="open")

    revision = sent(world, {"train.py": TRAIN, "copy.txt": "x" * 4000})

    assert [row.agreement for row in revision.repository.inherited.all()] == [agreement]


# --- by the API ------------------------------------------------------------------------
def test_programs_send_by_the_api_and_list_what_is_there(world, program):
    client = program(world.person)
    body = a_tar({"train.py": TRAIN}).getvalue()
    address = f"/api/code/?case={world.case.code}&name=mine&commit={COMMIT}&has_changes=true"

    answer = client.post(address, body, content_type="application/gzip")

    found = answer.json()
    assert answer.status_code == 201
    assert found == {
        "code": found["code"],
        "title": "mine",
        "reference": f"{found['code']}@1",
        "files": 1,
        "size_bytes": len(TRAIN),
        "commit": COMMIT,
        "has_changes": True,
    }
    assert client.get(f"/api/code/?case={world.case.code}").json()["items"] == [found]


def test_the_list_is_for_people_of_the_case(world, program):
    sent(world)

    answers = [
        program(one).get(f"/api/code/?case={world.case.code}")
        for one in (a_person(), a_person(duty="staff"))
    ]

    assert [one.status_code for one in answers] == [404, 404]


def test_a_partner_sees_and_sends_too(world):
    friend = a_person()
    a_partner(world.case, lead=friend)

    assert sent(world, by=friend).number == 1


def test_a_body_that_is_far_too_large_is_not_read(world, program, settings):
    settings.CODE_LIMIT_BYTES = 100

    answer = program(world.person).post(
        f"/api/code/?case={world.case.code}&name=x", b"x" * 101, content_type="application/gzip"
    )

    assert (answer.status_code, answer.json()["code"]) == (413, "too_much_code")
