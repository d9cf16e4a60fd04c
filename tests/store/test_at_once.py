"""Bytes that one process names while others name, send or sweep the same."""

import io
import threading
from datetime import timedelta

import pytest
from django.db import connection, transaction
from django.utils import timezone

from fabriek.store import actions, lists, sweeping
from fabriek.store.models import Arrival, Blob
from tests.factories import a_case, a_repository
from tests.store.test_actions import sha256
from tests.store.test_many import entries, push_many
from tests.threads import at_once, many_connections  # noqa: F401  a fixture

pytestmark = [
    pytest.mark.django_db(transaction=True),
    pytest.mark.usefixtures("many_connections"),
    pytest.mark.skipif(
        connection.vendor != "postgresql", reason="SQLite lets one write at a time"
    ),
]


def in_no_time(work):
    """Do it in another connection, which waits for nobody."""

    def done():
        with transaction.atomic():
            connection.cursor().execute("SET LOCAL lock_timeout = '1s'")
            return work()

    return at_once(done)[0]


def test_whoever_names_bytes_waits_for_nobody_who_names_or_sends_them():
    repository = a_repository()
    push_many(repository, {"a": b"a", "b": b"b"})
    named = [sha256(b"b"), sha256(b"a")]

    with transaction.atomic():
        lists.claimed(repository, named)

        assert set(in_no_time(lambda: lists.claimed(repository, named[::-1]))) == set(named)
        in_no_time(lambda: push_many(repository, {"c": b"a"}))


def test_a_sweep_passes_over_what_is_being_named():
    repository = a_repository()
    revision = push_many(repository, {"a": b"a"})
    Arrival.objects.all().delete()
    Blob.objects.update(stored_at=timezone.now() - timedelta(days=2))

    def drop_and_sweep():
        revision.files.all().delete()
        return sweeping.sweep(timezone.now()).blobs

    with transaction.atomic():
        assert set(lists.claimed(repository, [sha256(b"a")])) == {sha256(b"a")}
        assert in_no_time(drop_and_sweep) == 0

    assert in_no_time(drop_and_sweep) == 1  # nobody named it after all


def test_a_file_that_leaves_its_pack_meanwhile_is_named_all_the_same():
    """Whoever sends it alone takes it out of the pack; neither waits for the other for ever."""
    repository = a_repository()
    files = {f"{number}": b"%d" % number for number in range(3)}
    blobs = actions.store_many(repository, entries(files), by=None)
    said = []

    def commit():
        try:
            said.append(actions.commit(repository, blobs, message="x", by=None).file_count)
        finally:
            connection.close()

    with transaction.atomic():
        actions.store_bytes(repository, io.BytesIO(b"1"), by=None)
        beside = threading.Thread(target=commit)
        beside.start()
        beside.join(timeout=0.5)  # it waits for us or not; both are right
    beside.join(timeout=300)

    assert said == [3]


def test_two_of_one_title_made_at_once_both_get_a_name():
    case, said = a_case(), []

    @transaction.atomic
    def make(code):
        repository = a_repository(case=case)
        actions.name_repository(repository, code=code, title="questions")
        said.append(repository.name)

    def beside():
        try:
            make("D26-0002")
        finally:
            connection.close()

    with transaction.atomic():
        make("D26-0001")
        other = threading.Thread(target=beside)
        other.start()
        other.join(timeout=0.5)  # it waits for us, before it looked which names there are
    other.join(timeout=300)

    assert said == ["questions", "questions-d26-0002"]
