"""Owners drop old revisions of a dataset, and nobody else; the command says it beforehand."""

from datetime import timedelta
from io import StringIO

import pytest
from django.core.management import CommandError, call_command
from django.urls import reverse
from django.utils import timezone, translation

from fabriek.agreements.models import Agreement
from fabriek.datasets import retention
from fabriek.kernel.errors import NotAllowed, Refused
from fabriek.store.models import Repository, Revision
from fabriek.store.references import revision_of
from fabriek.store.retention import Wish
from tests.factories import a_case, a_dataset, a_partner, a_person, an_organisation, staff
from tests.store.test_actions import push

pytestmark = pytest.mark.django_db

NEWEST = Wish(keep_last=1)


@pytest.fixture
def lead():
    return a_person()


@pytest.fixture
def dataset(lead):
    made = a_dataset(case=a_case(lead=lead))
    for number in range(3):
        push(made.repository, {"rows": f"{number}".encode() * 10})
    return made


def left():
    return sorted(Revision.objects.filter(dropped_at=None).values_list("number", flat=True))


def agreed(dataset, state):
    now = timezone.now()
    return Agreement.objects.create(
        code="A26-0007",
        repository=dataset.repository,
        case=a_case(),
        state=state,
        product="statistics",
        place="shared",
        begins_at=now,
        ends_at=now + timedelta(days=9),
        text_version="1",
        text_sha256="0" * 64,
        begun_by=a_person(),
    )


def test_a_lead_of_the_owner_drops(dataset, lead):
    assert [x.revision.number for x in retention.plan(dataset, NEWEST, by=lead).go] == [2, 1]

    retention.drop(dataset, NEWEST, by=lead, why="storage")

    assert left() == [3]
    assert Revision.objects.get(number=1).dropped_by == lead


def test_nobody_else_does_nor_sees_the_plan(dataset):
    owner = dataset.case.organisation
    member, partner = a_person(), a_person()
    an_organisation(member=member)
    owner.memberships.create(person=member, role="member")
    a_partner(dataset.case, lead=partner)

    for person in (member, partner, staff(), a_person()):
        for act in (retention.plan, retention.drop):
            with pytest.raises(NotAllowed, match="Only a lead of the organisation that owns"):
                act(dataset, NEWEST, by=person)

    assert left() == [1, 2, 3]


@pytest.mark.parametrize("state", ["asked", "offered", "in_force"])
def test_a_living_agreement_holds_all_of_it(dataset, lead, state):
    agreed(dataset, state)

    plan = retention.drop(dataset, NEWEST, by=lead)

    assert left() == [1, 2, 3]
    assert [line.why for line in plan.stay][1:] == ["held by A26-0007", "held by A26-0007"]


def test_an_agreement_that_is_over_holds_nothing(dataset, lead):
    agreed(dataset, "ended")

    retention.drop(dataset, NEWEST, by=lead)

    assert left() == [3]


def told(*words, **more):
    said = StringIO()
    call_command("retention", *words, stdout=said, **more)
    return said.getvalue()


def test_the_command_plans_without_doing(dataset):
    with translation.override("nl"):  # as it is in a factory here: one line, one language
        said = told("--plan", "--keep-last", "2")

    assert f"{dataset.code}: 1 revisions would go, 10" in said
    assert "1  would go" in said
    assert "3  stays: spared by what was asked" in said
    assert left() == [1, 2, 3]


def test_the_command_drops_on_the_wish_of_a_lead(dataset, lead):
    said = told("--drop", dataset.code, "--by", lead.email, "--older-than", "0")

    assert "2 revisions dropped" in said
    assert "3  stays: the newest of its branch" in said
    assert left() == [3]


@pytest.mark.parametrize(
    ("words", "said"),
    [
        (["--drop"], "Name the datasets"),
        (["--drop", "D00-0000", "--by", "x@example.org"], "There is no dataset D00-0000"),
        (["--drop", "{code}", "--by", "nobody@example.org"], "Nobody here has the address"),
        (["--drop", "{code}", "--by", "{stranger}"], "Only a lead of the organisation"),
        (["--plan", "--keep-last", "0"], "newest revision is always kept"),
        (["--plan", "--older-than", "9" * 12], "--older-than is at most 36500 days"),
    ],
)
def test_the_command_says_what_is_wrong(dataset, words, said):
    stranger = a_person()
    words = [word.format(code=dataset.code, stranger=stranger.email) for word in words]

    with pytest.raises(CommandError, match=said):
        told(*words)

    assert left() == [1, 2, 3]


def test_history_shows_a_dropped_revision_and_nothing_gives_its_files(
    dataset, lead, browser, program
):
    retention.drop(dataset, NEWEST, by=lead, why="too old")

    address = reverse("datasets:revision", args=[dataset.code, 1])
    page = browser(lead).get(address)
    detail = browser(lead).get(dataset.get_absolute_url()).content.decode()
    listed = program(lead).get(f"/api/datasets/{dataset.code}/revisions").json()["items"]
    files = program(lead).get(f"/api/datasets/{dataset.code}/files?revision=1")

    assert "The files of this revision were removed by its owner" in page.content.decode()
    assert "too old" in page.content.decode()
    assert detail.count("files removed") == 2
    assert [one["dropped_at"] is None for one in listed] == [True, False, False]
    assert (files.status_code, files.json()["code"]) == (409, "dropped")


def test_a_run_cannot_be_asked_on_what_was_dropped(dataset, lead):
    retention.drop(dataset, NEWEST, by=lead)
    among = Repository.objects.all()
    among.update(code=dataset.code)

    with pytest.raises(Refused, match="Use a newer revision"):
        revision_of(f"{dataset.code}@1", among=among, kind="dataset")

    assert revision_of(dataset.code, among=among, kind="dataset").number == 3
