"""Errands end, whatever becomes of what they work on; and nothing of them stays behind."""

import json

import pytest
from django.db import DataError

from fabriek.kernel.errors import Invalid
from fabriek.quality import actions, folders, follow
from fabriek.quality.models import Decision, Look
from fabriek.quality.states import ErrandState
from fabriek.quality.worker import confine
from fabriek.store.base import Brought, StoreDown
from fabriek.store.files import FolderStore
from fabriek.store.retention import Wish, drop
from tests.quality.conftest import looked_at, passes, push

pytestmark = pytest.mark.django_db(transaction=True)
CSV = b"email,v\n" + b"".join(b"a%d@x.nl,%d\n" % (n, n) for n in range(20))


def test_a_revision_dropped_while_its_look_waits_ends_it(dataset, lead):
    first = push(dataset, {"a.csv": CSV})
    found = actions.ask_look(dataset, first, by=lead)
    push(dataset, {"a.csv": b"a\n2\n"})
    drop(dataset.repository, Wish(numbers=[first.number]), by=lead)

    follow.tick()

    found.refresh_from_db()
    assert (found.state, found.trouble) == (ErrandState.FAILED, "not_laid")


def test_what_goes_wrong_in_following_ends_it_and_is_not_tried_for_ever(
    dataset, lead, monkeypatch
):
    found = actions.ask_look(dataset, push(dataset, {"a.csv": CSV}), by=lead)

    def wrong(*_args):
        raise DataError("cannot be kept")

    monkeypatch.setattr(follow, "_conclude", wrong)
    passes(found)

    assert (found.state, found.trouble) == (ErrandState.FAILED, "not_followed")
    assert not folders.folder_of(found).exists()


def test_a_name_with_nul_in_it_ends_in_a_look(dataset):
    """On PostgreSQL a NUL is refused by the database itself."""
    rows = b'{"prompt":"x","completion":"y","a\\u0000b":"\\ud83d\\ude00"}\n' * 9

    found = looked_at(dataset, {"a.jsonl": rows})

    assert found.state == ErrandState.DONE, found.trouble


def test_laying_out_ends_when_its_time_is_up(dataset, lead, settings, monkeypatch):
    settings.LOOK_S = 0
    found = actions.ask_look(dataset, push(dataset, {"a.csv": CSV}), by=lead)
    going = type("Going", (), {"is_alive": lambda _self: True, "join": lambda _self: None})
    monkeypatch.setattr(
        follow, "_lay", lambda errand: follow.laying.__setitem__(errand.key, going())
    )

    follow.tick()
    follow.tick()

    found.refresh_from_db()
    assert (found.state, found.trouble) == (ErrandState.FAILED, "too_long")


def test_bytes_far_away_are_waited_for_without_holding_up_the_loop(dataset, lead, monkeypatch):
    found = actions.ask_look(dataset, push(dataset, {"a.csv": CSV}), by=lead)
    answers = [
        StoreDown("away"),
        Brought(done_bytes=1, total_bytes=4, is_ready=False),
        Brought(done_bytes=4, total_bytes=4, is_ready=True),
    ]

    def bring(_self, wanted):
        assert wanted
        answer = answers.pop(0)
        if isinstance(answer, Exception):
            raise answer
        return answer

    monkeypatch.setattr(FolderStore, "bring", bring)
    follow.tick()
    follow.tick()
    found.refresh_from_db()
    assert (found.state, found.progress["done"]) == (ErrandState.WAITING, 25)
    assert not folders.folder_of(found).exists()

    assert passes(found).state == ErrandState.DONE


def test_folders_of_errands_that_are_gone_are_cleared(dataset, lead, slow_worker):
    found = actions.ask_look(dataset, push(dataset, {"a.csv": CSV}), by=lead)
    folder = folders.folder_of(found)
    passes(found, until=lambda: folders.is_alive(folder))
    Look.objects.all().delete()

    follow.tick()

    assert not folder.exists()
    assert not folders.is_alive(folder)


def test_without_the_walls_the_worker_gets_copies(dataset, lead, monkeypatch, slow_worker):
    monkeypatch.setattr(confine, "can_keep_files", lambda: False)
    big = CSV + b"x" * 2**20 + b",1\n"  # not in a pack
    found = actions.ask_look(dataset, push(dataset, {"a.csv": big}), by=lead)
    folder = folders.folder_of(found)

    passes(found, until=lambda: folders.was_started(folder))

    laid = list((folder / folders.FILES).glob("*.kept"))
    assert [at.stat().st_nlink for at in laid] == [1]
    assert laid[0].read_bytes() == big
    actions.cancel(found, by=lead)
    passes(found)


def test_more_files_than_are_laid_out_are_not_treated(dataset, lead, monkeypatch):
    monkeypatch.setattr(folders, "MOST_FILES", 1)
    found = looked_at(dataset, {"a.csv": CSV, "b.csv": CSV})
    assert "files_left_out" in {one["code"] for one in found.result["problems"]}
    actions.decide(dataset, found.revision, "email", choice="mask", by=lead)

    with pytest.raises(Invalid) as refused:
        actions.treat(dataset, found.revision, by=lead)

    assert refused.value.code == "too_many_files"


def test_a_column_with_a_name_too_long_to_keep_is_refused_in_words(dataset, lead):
    name = "e" * 236
    rows = "".join(
        json.dumps({"prompt": "x", "completion": "y", name: f"a{n}@x.nl"}) + "\n"
        for n in range(20)
    )
    found = looked_at(dataset, {"a.jsonl": rows.encode()})

    with pytest.raises(Invalid, match="longer than 200"):
        actions.decide(dataset, found.revision, name, choice="mask", by=lead)

    assert not Decision.objects.exists()


def test_two_results_of_one_path_are_not_saved(dataset, lead, monkeypatch):
    found = looked_at(dataset, {"a.csv": CSV, "b.txt": b"x\n"})
    actions.decide(dataset, found.revision, "email", choice="mask", by=lead)
    treatment = actions.treat(dataset, found.revision, by=lead)
    real = folders.told

    def taken(folder, name):
        told = real(folder, name)
        for one in (told or {}).get("made", []):
            one["path"] = "b.txt"
        return told

    monkeypatch.setattr(folders, "told", taken)
    passes(treatment)

    assert (treatment.state, treatment.trouble) == (ErrandState.FAILED, "same_path")
