"""Old revisions go when nothing names them; what they were called stays."""

import threading
import time
from datetime import timedelta

import pytest
from django.db import transaction
from django.utils import timezone

from fabriek.kernel.errors import Invalid, Refused
from fabriek.kernel.models import Entry
from fabriek.store import actions, queries, retention
from fabriek.store.models import Blob, File, Ref, Revision
from fabriek.store.retention import Reason, Wish
from tests.factories import a_case, a_person, a_repository, a_run
from tests.store.test_actions import contents, push, sha256
from tests.store.test_many import days_later
from tests.threads import at_once, many_connections  # noqa: F401  a fixture

pytestmark = pytest.mark.django_db

NEWEST = Wish(keep_last=1)


def with_revisions(count, **fields):
    repository = a_repository(**fields)
    for number in range(count):
        push(repository, {"same": b"same", "changes": f"{number}".encode() * 100})
    return repository


def planned(repository, wish, **more):
    plan = retention.plan(repository, wish, now=timezone.now(), **more)
    return (
        [line.revision.number for line in plan.go],
        {line.revision.number: line.reason for line in plan.stay},
    )


def test_a_plan_says_what_would_go_what_stays_and_changes_nothing():
    repository = with_revisions(4)

    plan = retention.plan(repository, Wish(keep_last=2), now=timezone.now())

    assert [line.revision.number for line in plan.go] == [2, 1]
    assert [(line.revision.number, line.reason) for line in plan.stay] == [
        (4, Reason.RECENT),
        (3, Reason.RECENT),
    ]
    assert plan.freed_bytes == 200
    assert File.objects.count() == 8
    assert not Revision.objects.exclude(dropped_at=None).exists()


def test_what_is_dropped_keeps_its_name_and_loses_its_files(settings):
    repository, owner = with_revisions(3), a_person()
    before = Revision.objects.get(number=1)

    done = retention.drop(repository, NEWEST, by=owner, why=" too old ")

    assert [line.revision.number for line in done.go] == [2, 1]
    after = Revision.objects.get(number=1)
    for name in ("digest", "message", "author", "created_at", "file_count", "size_bytes"):
        assert getattr(after, name) == getattr(before, name)
    assert (after.dropped_by, after.dropped_why) == (owner, "too old")
    with pytest.raises(Refused, match="files of revision 1 were removed by its owner"):
        queries.listing(after)
    with pytest.raises(Refused, match="were removed by its owner"):
        actions.materialise(after, settings.RUNS_HOME)
    assert contents(Revision.objects.get(number=3)).keys() == {"same", "changes"}
    entry = Entry.objects.get(verb="store.drop")
    assert (entry.by, entry.details["numbers"]) == (owner, [1, 2])


def test_the_sweep_then_frees_what_nothing_else_names(settings):
    repository = with_revisions(3)
    freed = retention.drop(repository, NEWEST, by=None).freed_bytes
    days_later(settings)

    swept = actions.sweep(timezone.now())

    assert (swept.blobs, swept.size_bytes) == (2, freed)
    assert set(Blob.objects.values_list("sha256", flat=True)) == {
        sha256(b"same"),
        sha256(b"2" * 100),
    }


def test_dropping_twice_is_harmless():
    repository = with_revisions(3)
    retention.drop(repository, NEWEST, by=None)

    again = retention.drop(repository, NEWEST, by=None)

    assert again.go == []
    assert Entry.objects.filter(verb="store.drop").count() == 1


def test_a_revision_by_hand_and_by_age():
    repository = with_revisions(4)
    long_ago = timezone.now() - timedelta(days=40)
    Revision.objects.filter(number__in=[1, 2]).update(created_at=long_ago)

    assert planned(repository, Wish(numbers=[3]))[0] == [3]
    assert planned(repository, Wish(older_than=timedelta(days=30)))[0] == [2, 1]
    assert planned(repository, Wish(older_than=timedelta(days=30), keep_last=3))[0] == [1]


def test_the_newest_of_each_branch_stays_also_when_it_is_asked_for():
    repository = with_revisions(2)
    first = Revision.objects.get(number=1)
    ref = Ref.objects.create(repository=repository, kind="branch", name="try", revision=first)
    change = actions.Change(files={}, message="", branch="try", delete=["same"])
    actions.save(repository, change, by=None)
    ref.delete()

    go, stay = planned(repository, Wish(numbers=[1, 2, 3]))

    assert go == [1]
    assert stay == {2: Reason.NEWEST, 3: Reason.NEWEST}


def test_what_a_run_a_model_or_a_tag_names_stays():
    repository = with_revisions(5)
    one, two, _three, _four, _five = Revision.objects.order_by("number")
    run = a_run()
    run.inputs.create(name="data", revision=one)
    Ref.objects.create(repository=repository, kind="tag", name="v1", revision=two)

    plan = retention.plan(repository, NEWEST, now=timezone.now())

    assert [line.revision.number for line in plan.go] == [4, 3]
    named = {line.revision.number: line.by for line in plan.stay if line.reason == Reason.NAMED}
    assert named.keys() == {1, 2}
    assert retention.drop(repository, NEWEST, by=None).go
    assert contents(one).keys() == {"same", "changes"}


def test_everything_that_points_at_a_revision_for_good_is_looked_at():
    """A room that begins to name revisions is seen here without a word of ours."""
    holding = {field.model.__name__ for field in retention.naming_fields()}

    assert {"RunInput", "Model", "Ref"} <= holding
    assert not holding & {"File", "Revision"}


def test_what_an_agreement_holds_stays():
    repository = with_revisions(3)

    go, stay = planned(repository, NEWEST, held_by=["A26-0001"])

    assert go == []
    assert set(stay.values()) == {Reason.HELD, Reason.RECENT}


def test_bytes_that_another_dataset_names_are_not_counted_as_freed():
    case = a_case()
    repository = with_revisions(2, case=case)
    actions.commit(a_repository(case=case), {"x": sha256(b"0" * 100)}, message="", by=None)

    assert retention.plan(repository, NEWEST, now=timezone.now()).freed_bytes == 0


@pytest.mark.parametrize(
    ("wish", "said"),
    [
        (Wish(), "Say which revisions may go"),
        (Wish(keep_last=0), "newest revision is always kept"),
        (Wish(older_than=timedelta(days=-1)), "age of 0 days or more"),
        (Wish(numbers=[9]), "no revision 9"),
    ],
)
def test_a_wish_that_makes_no_sense_is_refused(wish, said):
    with pytest.raises(Invalid, match=said):
        retention.drop(with_revisions(2), wish, by=None)

    assert not Revision.objects.exclude(dropped_at=None).exists()


def test_a_dropped_revision_is_no_parent_and_its_number_is_not_given_again():
    repository = with_revisions(3)
    retention.drop(repository, NEWEST, by=None)
    old = Revision.objects.get(number=1)

    with pytest.raises(Refused, match="were removed by its owner"):
        push(repository, {"more": b"1"}, parent=old)

    assert push(repository, {"more": b"1"}).number == 4


@pytest.mark.django_db(transaction=True)
def test_two_who_drop_at_once_drop_once(many_connections):  # noqa: F811
    repository = with_revisions(4)

    said = at_once(*[lambda: len(retention.drop(repository, NEWEST, by=None).go)] * 2)

    assert sorted(said) == [0, 3]
    assert Entry.objects.filter(verb="store.drop").count() == 1


def test_what_was_dropped_since_it_was_chosen_cannot_be_named():
    repository = with_revisions(2)
    chosen = Revision.objects.get(number=1)
    retention.drop(repository, NEWEST, by=None)

    with pytest.raises(Refused, match="were removed by its owner"):
        retention.hold([chosen])


@pytest.mark.django_db(transaction=True)
@pytest.mark.parametrize("first", ["drop", "name"])
def test_a_drop_and_a_naming_at_once_exclude_each_other(first, many_connections):  # noqa: F811
    repository = with_revisions(2)
    chosen = Revision.objects.get(number=1)
    is_locked = threading.Event()

    def one_after_the_other(kind, act):
        if kind != first:
            assert is_locked.wait(timeout=20)
        with transaction.atomic():
            said = act()
            is_locked.set()
            time.sleep(0.5 if kind == first else 0)  # long enough that the other waits for us
        return said

    def drop():
        return len(retention.drop(repository, NEWEST, by=None).go)

    def name():
        retention.hold([chosen])
        Ref.objects.create(repository=repository, kind=Ref.Kind.TAG, name="v1", revision=chosen)
        return "named"

    said = at_once(
        lambda: one_after_the_other("drop", drop),
        lambda: one_after_the_other("name", name),
        refusals=Refused,
    )

    expected = {1, "dropped"} if first == "drop" else {"named", 0}
    assert set(said) == expected
    assert Ref.objects.filter(revision__dropped_at__isnull=False).count() == 0
