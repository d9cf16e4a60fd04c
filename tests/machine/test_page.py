"""The page, the API and the command of the machine: for everybody, and nobody's secrets."""

from datetime import timedelta

import pytest
from django.core.cache import cache
from django.utils import timezone

from fabriek.allocations.models import Line
from fabriek.engines.base import NodeState
from fabriek.machine.models import Standing
from fabriek.runs.states import RunState
from tests.factories import (
    a_case,
    a_person,
    a_share,
    an_allocation,
    an_assessor,
    an_organisation,
    staff,
)
from tests.machine.sights import (
    SECRET,
    a_machine,
    a_node,
    a_secret_case,
    look_again,
    running_in,
    uses,
)

pytestmark = pytest.mark.django_db
PAGE, API = "/machine/", "/api/machine"


@pytest.fixture(autouse=True)
def forgets():
    """Let no test meet what another one's shares gave."""
    cache.clear()


@pytest.fixture
def machine():
    return a_machine()


@pytest.fixture
def applicant():
    person = a_person()
    an_organisation(lead=person)
    return person


def a_funder():
    return a_person(duty="funder", funder_code="funder-nl")


EVERYBODY = [a_person, staff, a_funder, an_assessor]


def text(response):
    assert response.status_code == 200
    return " ".join(response.content.decode().split())


# For whom


@pytest.mark.parametrize("make", EVERYBODY)
def test_everybody_who_is_signed_in_sees_how_the_machine_stands(
    browser, program, machine, make
):
    person = make()

    page = text(browser(person).get(PAGE))
    told = program(person).get(API).json()

    assert "3 GPUs are free." in page
    assert "of 16 GPUs (h200)" in page
    assert told["gpus"] == {"total": 16, "used": 7, "free": 3, "out_of_service": 6}


def test_a_stranger_is_asked_to_sign_in(client, machine):
    for address in (PAGE, f"{PAGE}now"):
        assert client.get(address).url == f"/accounts/login/?next={address}"
    assert client.get(API).status_code == 401


@pytest.mark.parametrize("make", EVERYBODY)
def test_the_menu_leads_to_it(browser, make):
    assert f'href="{PAGE}"' in text(browser(make()).get("/"))


# What nobody else may know


@pytest.mark.parametrize("make", EVERYBODY)
def test_a_confidential_case_of_others_appears_nowhere(browser, program, machine, make):
    secrets = a_secret_case()
    person = make()
    seen = browser(person)

    said = [
        text(seen.get(PAGE)),
        text(seen.get(f"{PAGE}now")),
        program(person).get(API).content.decode(),
    ]

    for words in said:
        assert [secret for secret in secrets if secret in words] == []
    assert "All other cases together" in said[0]


def test_its_own_people_see_it_and_are_told_that_nobody_else_does(browser, machine):
    lead = a_person()
    case = uses(case=a_case(lead=lead, title="Hush-hush plan", is_confidential=True))

    page = text(browser(lead).get(PAGE))

    assert "Hush-hush plan" in page
    assert f"{case.code} · confidential: on this page only your own consortium" in page


@pytest.mark.parametrize("make", [a_person, a_funder])
def test_cases_of_others_are_not_named(browser, program, machine, make):
    [case, *_] = running_in("care", organisations=3)
    person = make()

    page = text(browser(person).get(PAGE))

    assert case.code not in page
    assert case.title not in page
    assert "Cases of others in the sector care" in page
    kinds = [use["kind"] for use in program(person).get(API).json()["users"]]
    assert kinds == ["sector", "total"]


@pytest.mark.parametrize("make", EVERYBODY)
def test_only_staff_read_why_a_node_is_out(browser, program, machine, make):
    person = make()

    page = text(browser(person).get(PAGE))
    reasons = {node["reason"] for node in program(person).get(API).json()["nodes"]}

    assert (SECRET in page) == person.is_factory_staff
    assert reasons == ({"", SECRET} if person.is_factory_staff else {""})


# What it says


def test_the_picture_says_the_same_to_who_does_not_see_it(browser, machine, applicant):
    page = text(browser(applicant).get(PAGE))

    assert page.count('class="gpu gpu--used"></i>') == 7 + 1  # and one in the key
    assert page.count('class="gpu gpu--free"></i>') == 3 + 1
    for told in (
        '<span class="node__state">in use</span><span class="sr">: 1 of 4 GPUs in use</span>',
        '<span class="node__state">takes nothing new</span>'
        '<span class="sr">: 2 of 4 GPUs in use</span>',
        '<span class="node__state">out of service</span>'
        '<span class="sr">: 0 of 4 GPUs in use</span>',
    ):
        assert told in page


def test_one_s_own_runs_stand_there_with_place_reason_and_start(browser, program, machine):
    person = a_person()
    allocation = an_allocation(case=a_case(lead=person))
    # At noon: what is expected is rounded, and just before midnight that is the next day.
    at = timezone.localtime().replace(hour=12) + timedelta(days=7)
    waits = {"queue_position": 3, "waiting_reason": "Resources", "starts_expected_at": at}
    uses(allocation=allocation, gpus=8, state=RunState.QUEUED, **waits)
    uses(allocation=allocation, started_at=timezone.now())
    day = f"{timezone.localtime(at):%-d %B %Y}"
    said = (
        "Your run is third in the queue. The run starts as soon as what it needs is free. "
        f"The run is expected to start on {day}. It may become earlier or later."
    )

    page = text(browser(person).get(PAGE))
    told = program(person).get(API).json()

    assert said in page
    running, waiting = told["own_runs"]
    assert (running["state"], running["waiting"]) == ("running", "")
    assert f"{waiting['waiting']} {waiting['expected_start']}" == said
    assert told["queue"] == {"jobs": 0, "gpus": 0, "runs": 1}


def test_more_runs_than_a_page_shows_are_in_the_list_of_runs(browser, machine, monkeypatch):
    monkeypatch.setattr("fabriek.machine.queries.MOST_RUNS", 1)
    person = a_person()
    allocation = an_allocation(case=a_case(lead=person))
    uses(allocation=allocation)
    assert "see all of them" not in text(browser(person).get(PAGE))

    uses(allocation=allocation)

    assert "You have more runs: see all of them" in text(browser(person).get(PAGE))


@pytest.mark.parametrize(
    ("nodes", "said"),
    [
        ([a_node(gpus_used=3, state=NodeState.BUSY)], "1 GPU is free."),
        ([a_node(gpus_used=4, state=NodeState.BUSY)], "All GPUs are in use."),
        ([a_node(state=NodeState.DOWN)], "The machine takes no new runs now."),
        ([a_node(state=NodeState.DRAINING)], "The machine takes no new runs now."),
        ([a_node(state=NodeState.UNKNOWN)], "The machine takes no new runs now."),
    ],
)
def test_the_first_thing_is_what_to_expect_and_a_button(browser, applicant, nodes, said):
    a_machine(*nodes)

    page = text(browser(applicant).get(PAGE))

    assert f'<p class="next__sentence">{said}' in page
    assert '<a class="button" href="/runs/new">Start a run</a>' in page


def test_who_has_no_organisation_gets_no_button(browser, machine):
    page = text(browser(a_funder()).get(PAGE))

    assert "Start a run" not in page
    assert "Your runs" not in page


# When nobody knows


@pytest.mark.parametrize("make", EVERYBODY)
def test_a_machine_that_nobody_saw_yet_is_said_to_be_so(browser, program, make):
    person = make()

    page = text(browser(person).get(PAGE))
    told = program(person).get(API).json()

    assert "The factory has not seen the machine yet." in page
    assert [told[name] for name in ("gpus", "queue", "seen_at")] == [None] * 3
    assert told["nodes"] == []


def test_a_silent_machine_is_shown_as_it_was_with_what_that_means(browser, program, machine):
    person = a_person()
    uses(case=a_case(lead=person), state=RunState.QUEUED)
    machine.down = True
    look_again(machine)
    look_again(machine)

    page = text(browser(person).get(PAGE))
    told = program(person).get(API).json()

    assert "Your runs are kept: what waits starts by itself" in page
    assert "What stands below is how it was then." in page
    assert "of 16 GPUs" in page
    assert told["silent_since"]
    assert told["trouble"].startswith("The machine gives no answer since ")


def test_a_machine_that_never_answered_says_since_when(browser, applicant):
    machine = a_machine()
    Standing.objects.all().delete()
    machine.down = True
    look_again(machine)

    page = text(browser(applicant).get(PAGE))

    assert "The machine gives no answer since" in page
    assert "What stands below" not in page
    assert "A run that you start now is kept" in page


@pytest.mark.parametrize(
    ("make", "said"),
    [(a_person, "Tell the factory if this stays so."), (staff, "Its loop stands still")],
)
def test_a_loop_that_stands_still_is_not_hidden(browser, machine, make, said):
    row = Standing.objects.get()
    row.facts["asked_at"] = "2026-01-01T00:00:00+00:00"
    row.save()

    page = text(browser(make()).get(PAGE))

    assert "The factory last looked at the machine on 1 January 2026, 01:00" in page
    assert said in page


# What it costs, and how it refreshes


@pytest.mark.parametrize("many", [1, 3])
@pytest.mark.parametrize(
    ("address", "queries"), [(PAGE, 10), (f"{PAGE}now", 8)], ids=["page", "part"]
)
def test_the_page_costs_the_same_for_few_and_many(
    browser, django_assert_num_queries, many, address, queries
):
    a_machine(*(a_node(f"gpu{number}") for number in range(many)))
    person = a_person()
    for number in range(many):
        allocation = an_allocation(
            case=a_case(lead=person, is_confidential=True), share=a_share(f"share{number}")
        )
        uses(allocation=allocation, state=RunState.QUEUED)
        spent(allocation, 3600)
        running_in(f"sector{number}", organisations=3)
    seen = browser(person)

    with django_assert_num_queries(queries):
        page = text(seen.get(address))

    assert page.count('id="case-') == many


def test_it_refreshes_itself_and_each_link_can_keep_the_focus(browser, machine):
    person = a_person()
    case = uses(case=a_case(lead=person))
    seen = browser(person)

    page, part = text(seen.get(PAGE)), text(seen.get(f"{PAGE}now"))

    start = f'<div id="now" hx-get="{PAGE}now" hx-trigger="every 15s" hx-swap="outerHTML">'
    assert start in page
    assert part.startswith(start)
    for name in (f"case-{case.code}", f"run-{case.runs.get().code}"):
        assert part.count(f'<a id="{name}"') == 1


def test_no_page_asks_the_engine(browser, program, machine, settings):
    settings.ENGINE = "one-that-cannot-be"  # whoever asks for it is told so
    person = a_person()

    assert "3 GPUs are free." in text(browser(person).get(PAGE))
    assert program(person).get(API).json()["gpus"]["free"] == 3


@pytest.mark.parametrize(("count", "is_large"), [(24, False), (25, True)])
def test_many_nodes_are_drawn_small(browser, count, is_large):
    a_machine(*(a_node(f"gpu{number}") for number in range(count)))

    page = text(browser(a_person()).get(PAGE))

    assert page.count('class="node node--free"') == count
    assert ("nodes--many" in page) == is_large


def test_only_looking_is_possible(browser, applicant):
    assert browser(applicant).post(PAGE).status_code == 405
    assert browser(applicant).post(f"{PAGE}now").status_code == 405


# Shares


def spent(allocation, gpu_seconds, *, months_ago=0, kind="spend", share=None):
    Line.objects.create(
        allocation=allocation,
        key=f"{kind}:{Line.objects.count()}",
        kind=kind,
        share=share or allocation.grants.get().share,
        gpu_seconds=gpu_seconds,
        at=timezone.now() - timedelta(days=30 * months_ago),
    )


def test_shares_stand_beside_what_was_agreed(browser, program, applicant):
    national, european = a_share("nl", target_percent=40), a_share("eu", target_percent=60)
    allocation = an_allocation(share=national)
    spent(allocation, 3000)
    spent(allocation, 1000, share=european)
    spent(allocation, 5000, months_ago=20, share=european)
    spent(allocation, 4000, share=european, kind="hold")

    page = text(browser(applicant).get(PAGE))
    shares = {one["code"]: one for one in program(applicant).get(API).json()["shares"]}

    assert "National share: 75% of the GPU-hours, 40% is agreed" in page
    assert (shares["nl"]["percent"], shares["nl"]["target_percent"]) == (75, 40)
    assert [month["percent"] for month in shares["eu"]["months"]] == [None] * 11 + [25]


def test_shares_of_which_nothing_was_used_say_so(browser, applicant):
    a_share("nl", target_percent=40)

    page = text(browser(applicant).get(PAGE))

    assert "National share: nothing was used yet, 40% is agreed" in page


def test_a_counter_entry_below_zero_makes_no_nonsense(program, applicant):
    allocation = an_allocation(share=a_share("nl"))
    spent(allocation, -500, kind="counter")

    [share] = program(applicant).get(API).json()["shares"]

    assert share["percent"] is None


def test_the_page_speaks_dutch(browser, machine, applicant):
    page = text(browser(applicant, language="nl").get(PAGE))

    assert "3 GPU’s zijn vrij." in page
    assert "Wie de machine gebruikt" in page
