# ruff: noqa: F811  the fixtures of test_xet
"""What is kept of what was sent, for how long, and what programs are told when it is gone."""

import os
import time
from datetime import timedelta
from io import BytesIO

import pytest
import time_machine
from django.utils import timezone

from fabriek.hub import xet, xet_keep, xet_shards, xet_sweep
from fabriek.hub.xet_models import Era, Piece, Xorb
from fabriek.store import actions as store
from fabriek.store import sweeping
from fabriek.store.models import Arrival, Blob
from tests.factories import a_token
from tests.hub.test_xet import content_of, dataset, own_files, person, session  # noqa: F401
from tests.hub.xet_making import File, Program, a_shard
from tests.hub.xet_making import Xorb as Made
from tests.threads import many_connections  # noqa: F401

pytestmark = pytest.mark.django_db

LATER = timedelta(days=1, minutes=1)


def in_a_day():
    """Let all that lies in the folder be a day older too."""
    for path in own_files():
        then = time.time()
        os.utime(path, (then, then))
    return timezone.now() + LATER


def test_a_xorb_that_nobody_used_for_a_day_goes(session, dataset):
    session.send(Made(b"one"))

    kept = xet_sweep.sweep(timezone.now())
    freed = xet_sweep.sweep(in_a_day())

    assert (kept, freed) == (0, 3)
    assert own_files() == []
    assert not Xorb.objects.exists()


def test_programs_forget_what_went(session, person, dataset):
    before = session.at
    session.send(Made(b"one"))

    xet_sweep.sweep(in_a_day())

    again = Program(a_token(person)).begin(dataset.repository)
    assert before.endswith("/1")
    assert again.at.endswith("/2")


def test_what_is_in_a_kept_file_stays_reachable_for_weeks(session, person, dataset):
    made = Made(b"one", b"two")
    session.send(made)
    file = File(made.all())
    session.list(file)
    store.commit(dataset.repository, {"a.txt": file.sha256}, message="first", by=person)

    weeks_later = timezone.now() + timedelta(weeks=3)
    sweeping.sweep(weeks_later)
    freed = xet_sweep.sweep(weeks_later)
    part = File(made.part(1, 2))
    answer = session.list(part)

    assert (freed, answer.status_code) == (0, 200)
    assert content_of(dataset.repository, part.sha256) == b"two"
    assert Era.objects.get(repository=dataset.repository).number == 1


def test_when_its_file_went_it_must_be_sent_again(session, person, dataset):
    made = Made(b"one", b"two")
    session.send(made)
    session.list(File(made.all()))

    Arrival.objects.all().delete()
    Blob.objects.all().delete()  # as retention does: nothing named it
    too_late = session.list(File(made.all()))
    again = Program(a_token(person)).begin(dataset.repository)
    sent = again.send(made)
    file = File(made.all())
    answer = again.list(file)

    assert (too_late.status_code, answer.status_code) == (409, 200)
    assert b'"was_inserted":true' in sent.content
    assert again.at != session.at
    assert content_of(dataset.repository, file.sha256) == b"onetwo"


def test_a_xorb_in_use_is_not_swept(session):
    made = Made(b"one", b"two")
    session.send(made)
    with time_machine.travel(timezone.now() + LATER):
        # What names a part keeps the whole for another day.
        session.http.defaults["HTTP_AUTHORIZATION"] = session.http.defaults[
            "HTTP_AUTHORIZATION"
        ]
        shelf = xet_keep.Shelf(Xorb.objects.get().repository)
        shelf.look_up([made.name])
        shelf.touch()

        freed = xet_sweep.sweep(timezone.now())

    assert freed == 0
    assert [path.name for path in own_files()] == [made.name]


def test_a_file_that_no_row_names_goes_too(session, dataset):
    session.send(Made(b"one"))
    Xorb.objects.all().delete()

    assert xet_sweep.sweep(in_a_day()) == 3
    assert own_files() == []


def test_a_xorb_whose_own_file_is_lost_can_be_sent_again(session, dataset):
    made = Made(b"one")
    session.send(made)
    own_files()[0].unlink()

    lost = session.list(File(made.all()))
    sent = session.send(made)
    answer = session.list(File(made.all()))

    assert (lost.status_code, answer.status_code) == (409, 200)
    assert b'"was_inserted":true' in sent.content


def test_bytes_that_a_disk_spoilt_are_thrown_away_and_asked_for_again(session, dataset):
    made = Made(b"one", b"two")
    session.send(made)
    own_files()[0].write_bytes(b"onetwX")

    spoilt = session.list(File(made.all()))

    assert spoilt.status_code == 422
    assert own_files() == []
    assert not Blob.objects.exists()
    session.send(made)
    assert session.list(File(made.all())).status_code == 200


def test_what_another_list_let_go_meanwhile_is_read_from_its_file(
    session, person, dataset, tmp_path
):
    made = Made(b"one", b"two", b"three")
    session.send(made)
    part = File(made.part(1, 3))
    (tmp_path / "shard").write_bytes(a_shard(part))
    with (tmp_path / "shard").open("rb") as shard:
        making = xet_keep.Making(dataset.repository, shard, by=person)
        making.check()  # it saw that the xorb has a file of its own

        session.list(File(made.all()))
        assert own_files() == []
        making.make()

    assert content_of(dataset.repository, part.sha256) == b"twothree"


def test_pieces_are_written_down_once(session):
    made = Made(b"one", b"two", b"three")
    session.send(made)

    session.list(File(made.part(0, 2), made.part(0, 2)), File(made.part(1, 3)))

    rows = Piece.objects.order_by("first").values_list("first", "end", "offset")
    assert list(rows) == [(0, 2, 0), (2, 3, 3)]


def test_a_list_of_thousands_of_segments_is_read_in_parts(session, dataset, monkeypatch):
    monkeypatch.setattr(xet_shards, "AT_ONCE", 7)
    made = [Made(bytes([number]) * 10, bytes([number + 1]) * 9) for number in range(100)]
    for one in made:
        session.send(one)

    file = File(*[one.part(number % 2, 2) for number, one in enumerate(made)])
    answer = session.list(file)

    assert answer.status_code == 200
    assert content_of(dataset.repository, file.sha256) == file.content


@pytest.mark.parametrize("version", [1, 2])
@pytest.mark.django_db(transaction=True)
def test_long_work_says_that_it_goes_on(many_connections, session, monkeypatch, version):
    monkeypatch.setattr(xet, "LONG_BYTES", 0)
    monkeypatch.setattr(xet, "SIGN_OF_LIFE_S", 0.0)
    made = Made(b"one")
    session.send(made)

    answer = session.list(File(made.all()), version=version)
    told = b"".join(answer.streaming_content)

    assert answer["X-Accel-Buffering"] == "no"  # else nginx keeps them until it is over
    ends = {1: b'{"result":1}', 2: b'{"type":"result"}\n'}
    assert told.endswith(ends[version])
    assert set(told.removesuffix(ends[version])) <= set(b'{"type":"making"}\n ')


@pytest.mark.parametrize("version", [1, 2])
@pytest.mark.django_db(transaction=True)
def test_long_work_that_fails_says_so(many_connections, session, monkeypatch, version):
    monkeypatch.setattr(xet, "LONG_BYTES", 0)
    made = Made(b"one")
    session.send(made)

    answer = session.list(File(made.all(), sha256="ab" * 32), version=version)
    told = b"".join(answer.streaming_content)

    assert b"result" not in told
    assert b"send it again" in told
    assert not Blob.objects.exists()


def test_pieces_that_two_lists_noted_at_once_do_no_harm(session, dataset, person):
    made = Made(b"one", b"two", b"three")
    session.send(made)
    session.list(File(made.all()))
    piece = Piece.objects.get()
    Piece.objects.create(xorb=piece.xorb, blob=piece.blob, first=1, end=3, offset=3)
    Piece.objects.create(xorb=piece.xorb, blob=piece.blob, first=0, end=2, offset=0)

    for first, end in ((0, 3), (1, 2), (2, 3), (0, 1)):
        file = File(made.part(first, end))
        assert session.list(file).status_code == 200
        assert content_of(dataset.repository, file.sha256) == file.content


def test_a_file_of_very_many_small_parts_is_made(session, dataset):
    made = Made(*(number.to_bytes(2, "big") for number in range(4000)), scheme=0)
    session.send(made)
    session.list(*(File(made.part(number, number + 1)) for number in range(0, 4000, 40)))
    assert Piece.objects.count() == 100

    file = File(*(made.part(number % 4000, number % 4000 + 1) for number in range(9_000)))
    answer = session.list(file)

    assert answer.status_code == 200
    assert content_of(dataset.repository, file.sha256) == file.content
    assert own_files() == []


def test_of_two_lists_that_take_turns_one_notes_where_a_chunk_is(session, dataset, person):
    made = Made(b"one", b"two")
    session.send(made)
    files = [File(made.part(0, 1)), File(made.part(0, 1), made.part(0, 1))]
    makings = [
        xet_keep.Making(dataset.repository, BytesIO(a_shard(file)), by=person) for file in files
    ]
    for making in makings:
        making.check()
    for making in makings:
        making.make()

    assert list(Piece.objects.values_list("first", "end")) == [(0, 1)]
    assert Blob.objects.count() == 2


def test_pieces_that_overlap_do_not_hide_a_chunk_that_is_gone(session, dataset):
    made = Made(b"one", b"two", b"three")
    session.send(made)
    session.list(File(made.part(0, 2)))
    piece = Piece.objects.get()
    Piece.objects.create(xorb=piece.xorb, blob=piece.blob, first=0, end=1, offset=0)
    Xorb.objects.update(is_here=False)
    own_files()[0].unlink()

    assert session.send(made).json() == {"was_inserted": True}
    assert session.list(File(made.all())).status_code == 200


def test_the_sweep_forgets_what_pieces_that_overlap_do_not_cover(session, dataset):
    made = Made(b"one", b"two", b"three")
    session.send(made)
    session.list(File(made.part(0, 2)))
    piece = Piece.objects.get()
    Piece.objects.create(xorb=piece.xorb, blob=piece.blob, first=0, end=1, offset=0)

    xet_sweep.sweep(in_a_day())

    assert not Xorb.objects.exists()
