"""Old revisions of code are let go by page, API and command, never under a run."""

import pytest
from django.urls import reverse

from fabriek.kernel.models import Entry
from fabriek.store.models import File, Revision
from tests.factories import a_person, an_organisation, staff
from tests.programs.conftest import sent, wished

pytestmark = pytest.mark.django_db


@pytest.fixture
def code(world):
    """Send four revisions, of which a run has the first."""
    first = sent(world)
    world.ask(**vars_of(wished(world, first)))
    for number in range(2, 5):
        sent(world, {"train.py": f"print({number})\n"})
    return first.repository


def vars_of(wish):
    return {"recipe": wish.recipe, "knobs": wish.knobs, "inputs": wish.inputs}


def left(code):
    rows = Revision.objects.filter(repository=code, dropped_at=None)
    return sorted(rows.values_list("number", flat=True))


def post(program, person, code, **given):
    return program(person).post(
        f"/api/code/{code.code}/retention", given, content_type="application/json"
    )


def test_a_lead_ticks_says_why_and_it_goes(world, browser, code):
    client, page = browser(world.person), reverse("programs:drop", args=[code.code])
    text = client.get(page).text
    assert "No: named by a run" in text
    assert text.count('type="checkbox"') == 2  # neither that of the run nor the newest
    assert page in client.get(f"/code/new?case={world.case.code}").text

    chosen = {"number": ["1", "2", "3"], "sure": "yes"}
    without = client.post(page, chosen)
    assert (without.status_code, left(code)) == (422, [1, 2, 3, 4])
    assert "Say in one sentence why they go" in without.text

    done = client.post(page, chosen | {"why": "with a key in it"}, follow=True)
    assert "2 revisions are removed." in done.text
    assert left(code) == [1, 4]
    assert not File.objects.filter(revision__repository=code, revision__number=2).exists()
    entry = Entry.objects.get(verb="programs.drop")
    assert (entry.by, entry.details["note"]) == (world.person, "with a key in it")
    assert entry.details["numbers"] == [2, 3]


def test_programs_need_a_reason_too(world, program, code):
    refused = post(program, world.person, code, revisions=[2])
    done = post(program, world.person, code, keep_last=1, why="room")

    assert (refused.status_code, refused.json()["code"]) == (422, "no_reason")
    assert [one["number"] for one in done.json()["go"]] == [3, 2]
    assert [(one["number"], one["reason"]) for one in done.json()["stay"]] == [
        (4, "recent"),
        (1, "named"),
    ]


def test_others_drop_nothing(world, browser, program, code):
    member, outsider = a_person(), a_person()
    world.case.organisation.memberships.create(person=member, role="member")
    an_organisation(lead=outsider)
    page = reverse("programs:drop", args=[code.code])

    for person, status in ((member, 403), (outsider, 404), (staff(), 404)):
        answers = [
            browser(person).get(page),
            browser(person).post(page, {"number": ["2"], "sure": "yes", "why": "so"}),
            post(program, person, code, revisions=[2], why="so"),
        ]
        assert [answer.status_code for answer in answers] == [status] * 3

    assert left(code) == [1, 2, 3, 4]
    assert page not in browser(member).get(f"/code/new?case={world.case.code}").text


def test_a_dataset_is_no_code(world, program):
    data = world.revision.repository

    assert post(program, world.person, data, revisions=[1], why="so").status_code == 404
