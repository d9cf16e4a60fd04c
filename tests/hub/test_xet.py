"""Sending by the Xet protocol: what works, and who can reach what by it."""

# ruff: noqa: F811  a fixture of tests.threads
import json
import resource
import signal
from contextlib import contextmanager
from datetime import timedelta

import pytest
import time_machine
from django.conf import settings as django_settings
from django.utils import timezone

from fabriek.cases.states import CaseState
from fabriek.hub import xet, xet_tokens
from fabriek.hub.xet_models import Era, Piece, Xorb
from fabriek.people.models import Membership
from fabriek.store import actions as store
from fabriek.store import queries
from fabriek.store.models import Blob
from tests.agreements.policy_world import a_policy_world
from tests.datasets.conftest import made as a_dataset_made
from tests.datasets.conftest import push
from tests.factories import (
    a_case,
    a_dataset,
    a_partner,
    a_person,
    a_token,
    an_organisation,
)
from tests.hub.xet_making import File, Program, a_shard
from tests.hub.xet_making import Xorb as Made
from tests.threads import at_once, many_connections  # noqa: F401

pytestmark = pytest.mark.django_db


@pytest.fixture
def person():
    return a_person()


@pytest.fixture
def dataset(person):
    return a_named_dataset(a_case(lead=person))


def a_named_dataset(case, title="questions"):
    dataset = a_dataset(case=case, title=title)
    store.name_repository(dataset.repository, code=dataset.code, title=title)
    return dataset


@pytest.fixture
def session(person, dataset):
    return Program(a_token(person)).begin(dataset.repository)


def own_files():
    return sorted((django_settings.STORE_HOME / "xet").glob("[0-9]*/*"))


def content_of(repository, sha256):
    with queries.the_store().open(queries.claimed(repository, [sha256])[sha256]) as file:
        return file.read()


@pytest.mark.parametrize(("version", "end"), [(1, {"result": 1}), (2, {"type": "result"})])
def test_a_file_is_made_of_the_chunks_that_were_sent(session, dataset, version, end):
    first, second = Made(b"one", b"two" * 5000), Made(b"three" * 999, b"four", scheme=2)
    file = File(first.part(1, 2), second.all(), first.part(0, 1))

    sent = [session.send(first), session.send(second)]
    made = session.list(file, version=version)

    assert [json.loads(answer.content) for answer in sent] == [{"was_inserted": True}] * 2
    assert (made.status_code, json.loads(made.content)) == (200, end)
    assert content_of(dataset.repository, file.sha256) == file.content


def test_no_byte_is_kept_twice_once_it_is_in_a_file(session, dataset):
    made, used_in_part = Made(b"one", b"two"), Made(b"three", b"four")
    session.send(made)
    session.send(used_in_part)

    session.list(File(made.all(), used_in_part.part(1, 2)))

    assert [path.name for path in own_files()] == [used_in_part.name]


def test_a_changed_copy_needs_only_what_changed(session, dataset):
    made, more = Made(b"one", b"two", b"three"), Made(b"new")
    session.send(made)
    session.list(File(made.all()))
    session.send(more)

    changed = File(made.part(0, 1), more.all(), made.part(2, 3))
    answer = session.list(changed)

    assert answer.status_code == 200, answer.content
    assert content_of(dataset.repository, changed.sha256) == b"onenewthree"
    assert own_files() == []


def test_what_is_here_need_not_be_kept_again(session):
    made = Made(b"one", b"two")
    session.send(made)

    again = session.send(made)
    session.list(File(made.all()))
    from_a_file = session.send(made)

    answers = [json.loads(answer.content)["was_inserted"] for answer in (again, from_a_file)]
    assert answers == [False, False]
    assert own_files() == []


def test_another_repository_is_answered_as_if_nothing_had_been_sent(session, person, dataset):
    """Also one of the same case, and one of another company above all."""
    secret = Made(b"salaries of everybody" * 100)
    session.send(secret)
    session.list(File(secret.all()))
    stranger = a_person()
    theirs = a_named_dataset(a_case(lead=stranger))
    sibling = a_named_dataset(dataset.case, title="others")

    asked = [
        Program(a_token(stranger)).begin(theirs.repository),
        Program(a_token(person)).begin(sibling.repository),
    ]
    answers = [one.list(File(secret.all())) for one in asked]
    unknown = asked[0].list(File(Made(b"never sent by anybody").all()))

    told = [(answer.status_code, answer.content) for answer in (*answers, unknown)]
    assert told[0] == told[1] == told[2]
    assert told[0][0] == 409
    assert json.loads(told[0][1])["code"] == "unknown_xorb"
    assert Blob.objects.filter(organisation=theirs.repository.organisation).count() == 0


def test_nobody_learns_whether_a_chunk_is_known(session):
    made = Made(b"one")
    session.send(made)

    asked = session.http.get(f"{session.at}/v1/chunks/default/{made.name}")

    assert asked.status_code == 404
    assert session.post(f"v1/xorb-grants/default/{made.name}", b"{}").status_code == 404


def test_who_may_not_read_here_learns_of_no_xorb_that_others_sent():
    """Somebody who guesses all that is in one can name it: that must not confirm the guess."""
    world = a_policy_world()
    reader, other = a_person(), a_person()
    firm = an_organisation(lead=reader)
    a_partner(world.using, organisation=firm)
    a_partner(world.using, lead=other)
    world.agree(organisations=[firm])
    push(world.dataset, {"rows.csv": b"a,b\n" + b"1,2\n" * 999}, by=world.owner)
    copy = a_dataset_made(by=reader, case=world.using)
    push(copy, {"rows.csv": b"a,b\n" + b"1,2\n" * 999}, by=reader)  # binds it to the terms
    theirs, blind = (Program(a_token(who)).begin(copy.repository) for who in (reader, other))
    secret, unheard = Made(b"salaries of everybody" * 100), Made(b"of nobody")
    theirs.send(secret)
    theirs.list(File(secret.part(0, 1), sha256="", told=False))

    named = [blind.list(File(guess.all())) for guess in (secret, unheard)]
    sent = [blind.send(guess, body=b"x").status_code for guess in (secret, unheard)]
    whole = blind.send(secret)

    assert named[0].content == named[1].content
    assert [answer.status_code for answer in named] == [409, 409]
    assert sent == [422, 422]
    assert json.loads(whole.content) == {"was_inserted": True}
    assert blind.list(File(secret.all())).status_code == 200  # what they sent is theirs to name
    assert json.loads(blind.send(secret).content) == {"was_inserted": False}


@pytest.mark.parametrize(("free", "status"), [(2 * 10**7, 200), (2 * 10**7 - 1, 507)])
def test_a_full_disk_is_told_before_anything_is_sent(
    person, dataset, monkeypatch, free, status
):
    """Of what happens while they send programs show a number, and that after two minutes."""
    disk = type("Disk", (), {"total": 10**9, "free": free})
    monkeypatch.setattr("fabriek.store.incoming.shutil.disk_usage", lambda _folder: disk)
    at = f"/api/datasets/{dataset.repository.repo_id}/preupload/main"
    asked = {"files": [{"path": "a.bin", "size": 7, "sample": ""}]}

    answer = Program(a_token(person)).http.post(at, asked, content_type="application/json")

    assert answer.status_code == status
    assert ("X-Error-Message" in answer) == (status == 507)


def test_the_name_must_be_that_of_what_is_in_it(session, dataset):
    made, other = Made(b"one"), Made(b"two")

    answer = session.send(made, name=other.name)

    assert (answer.status_code, json.loads(answer.content)["code"]) == (422, "other_bytes")
    assert not Xorb.objects.exists()
    assert own_files() == []


@pytest.mark.parametrize("name", ["x" * 64, "0" * 63, "..%5c..%5csecret", "A" * 64])
def test_a_name_that_is_none_is_refused(session, name):
    answer = session.send(Made(b"one"), name=name)

    assert answer.status_code == 422, answer.content
    assert own_files() == []


def test_a_file_that_is_not_the_one_announced_is_not_kept(session, dataset):
    made = Made(b"one")
    session.send(made)

    answer = session.list(File(made.all(), sha256="ab" * 32))

    assert (answer.status_code, json.loads(answer.content)["code"]) == (422, "other_bytes")
    assert not Blob.objects.exists()
    assert Era.objects.get(repository=dataset.repository).number == 2


@pytest.mark.parametrize(("first", "end"), [(0, 3), (2, 3), (2**31, 2**31 + 1)])
def test_chunks_that_a_xorb_does_not_have_are_refused(session, first, end):
    made = Made(b"one", b"two")
    session.send(made)
    told, content = made.all()
    told = told[:40] + first.to_bytes(4, "little") + end.to_bytes(4, "little")

    answer = session.list(File((told, content)))

    assert answer.status_code == 409
    assert not Blob.objects.exists()


def test_a_length_that_chunks_do_not_have_is_refused(session):
    made = Made(b"one", b"two")
    session.send(made)
    told, content = made.all()
    told = told[:36] + (7).to_bytes(4, "little") + told[40:]

    answer = session.list(File((told, content)))

    assert (answer.status_code, json.loads(answer.content)["code"]) == (422, "broken_shard")


def test_a_file_that_would_grow_too_large_is_refused_before_a_byte_is_written(
    session, settings
):
    settings.UPLOAD_LIMIT_BYTES = 1000
    made = Made(b"x" * 600)
    session.send(made)

    answer = session.list(File(made.all(), made.all()))

    assert answer.status_code == 413
    assert not Blob.objects.exists()


def test_many_files_of_a_single_chunk_cannot_fill_the_disk(session, monkeypatch):
    """A short list can name the same chunk a million times: room is asked for all at once."""
    made = Made(b"x" * 2**17)
    session.send(made)
    asked = []
    monkeypatch.setattr(
        "fabriek.store.incoming.require_room", lambda _folder, size=0: asked.append(size)
    )

    session.list(File(*[made.all()] * 300), File(*[made.all()] * 200))

    assert asked[0] == 500 * 2**17
    assert set(asked[1:]) == {0}  # and for each file, whether the disk filled up meanwhile


@pytest.mark.parametrize("body", [b"", b"noise" * 100, b"\0" * 48])
def test_what_is_no_list_is_refused(session, body):
    answer = session.post("v2/shards", body)

    assert (answer.status_code, json.loads(answer.content)["code"]) == (422, "broken_shard")


def test_a_list_that_is_too_long_is_refused(session, monkeypatch):
    monkeypatch.setattr(xet, "SHARD_BYTES_MAX", 100)

    assert session.list(File(Made(b"one").all())).status_code == 413


def test_a_list_without_files_changes_nothing(session):
    assert session.post("v2/shards", a_shard()).status_code == 200


def test_a_file_whose_sha256_is_not_told_is_made_all_the_same(session, dataset):
    made = Made(b"one")
    session.send(made)
    file = File(made.all(), told=False)

    answer = session.list(file)

    assert answer.status_code == 200
    assert content_of(dataset.repository, file.sha256) == b"one"


# --- who may ------------------------------------------------------------------------------
def test_a_stranger_gets_no_key_and_learns_nothing(dataset):
    stranger = Program(a_token(a_person()))

    there = stranger.http.get(
        f"/api/datasets/{dataset.repository.repo_id}/xet-write-token/main"
    )
    nowhere = stranger.http.get("/api/datasets/C26-9999/nothing/xet-write-token/main")

    assert (there.status_code, there.content) == (nowhere.status_code, nowhere.content)
    assert there["X-Error-Code"] == nowhere["X-Error-Code"] == "RepoNotFound"


def test_a_token_that_may_only_look_gets_no_key(person, dataset):
    program = Program(a_token(person, scope="read"))

    at = f"/api/datasets/{dataset.repository.repo_id}/xet-write-token/main"

    assert program.http.get(at).status_code == 403


def test_a_key_opens_no_other_repository(session, person, dataset):
    sibling = a_named_dataset(dataset.case, title="others")
    made = Made(b"one")
    session.at = f"/hub/xet/{sibling.repository.pk}/1"

    assert session.send(made).status_code == 404
    assert session.list(File(made.all())).status_code == 404
    assert not Xorb.objects.exists()


def test_a_key_is_not_a_token_and_a_token_no_key(session, person, dataset):
    at = f"/api/datasets/{dataset.repository.repo_id}/xet-write-token/main"
    as_token = session.http.get(at)
    session.http.defaults["HTTP_AUTHORIZATION"] = f"Bearer {a_token(person)}"
    as_key = session.send(Made(b"one"))

    assert (as_token.status_code, as_key.status_code) == (401, 401)


def test_a_key_is_good_for_a_quarter_of_an_hour(session):
    later = timezone.now() + timedelta(seconds=xet_tokens.GOOD_FOR_S + 1)
    with time_machine.travel(later):
        assert session.send(Made(b"one")).status_code == 401


def test_who_left_the_consortium_sends_nothing_more(session, person, dataset):
    Membership.objects.filter(person=person).delete()

    assert session.send(Made(b"one")).status_code == 403


def test_a_case_that_was_closed_takes_nothing_more(session, dataset):
    type(dataset.case).objects.update(state=CaseState.CLOSED)

    assert session.send(Made(b"one")).status_code == 409


def test_only_a_few_are_taken_in_at_once(session, monkeypatch):
    taken = [xet.room_for_xorbs.acquire(blocking=False) for _ in range(xet.XORBS_AT_ONCE)]
    try:
        answer = session.send(Made(b"one"))
    finally:
        for _ in taken:
            xet.room_for_xorbs.release()

    assert answer.status_code == 503
    assert session.send(Made(b"one")).status_code == 200


# --- what can go wrong --------------------------------------------------------------------
@pytest.mark.parametrize("tenth", range(10))
def test_a_xorb_that_was_cut_off_leaves_nothing_and_can_be_sent_again(session, tenth):
    made = Made(*(bytes([number]) * 5000 for number in range(20)), scheme=0)

    cut = session.send(made, body=made.body[: len(made.body) * tenth // 10] or b"\0")
    left = [*own_files(), *(django_settings.STORE_HOME / "xet" / "incoming").glob("*")]
    whole = session.send(made)

    assert (cut.status_code, left) == (422, [])
    assert json.loads(whole.content) == {"was_inserted": True}


def test_a_full_disk_is_said_and_leaves_nothing(session, small_files):
    made = Made(*(bytes([number]) * 100_000 for number in range(30)), scheme=0)

    with small_files(2**20):
        xorb = session.send(made)
    session.send(made)
    with small_files(2**20):
        file = session.list(File(made.all()))

    assert (xorb.status_code, file.status_code) == (507, 507)
    assert not Blob.objects.exists()
    assert list((django_settings.STORE_HOME / "xet" / "incoming").glob("*")) == []
    assert session.list(File(made.all())).status_code == 200


@pytest.fixture
def small_files():
    """Let no file grow beyond some bytes, as if the disk were full then."""

    @contextmanager
    def limited(most_bytes):
        soft, hard = resource.getrlimit(resource.RLIMIT_FSIZE)
        usual = signal.signal(signal.SIGXFSZ, signal.SIG_IGN)
        resource.setrlimit(resource.RLIMIT_FSIZE, (most_bytes, hard))
        try:
            yield
        finally:
            resource.setrlimit(resource.RLIMIT_FSIZE, (soft, hard))
            signal.signal(signal.SIGXFSZ, usual)

    return limited


@pytest.mark.django_db(transaction=True)
def test_two_who_send_the_same_at_once_are_both_served(many_connections, session, dataset):
    made = Made(b"one" * 9000, b"two" * 9000)
    file = File(made.all())

    sent = at_once(
        lambda: session.send(made).status_code, lambda: session.send(made).status_code
    )
    listed = at_once(
        lambda: session.list(file).status_code, lambda: session.list(file).status_code
    )

    assert (sent, listed) == ([200, 200], [200, 200])
    assert content_of(dataset.repository, file.sha256) == file.content
    assert own_files() == []
    assert Piece.objects.count() in {1, 2}
