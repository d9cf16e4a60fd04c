"""GPU-hours for programs."""

import csv
import io
import json
from datetime import timedelta

import pytest
from django.utils import timezone

from fabriek.allocations import actions
from fabriek.allocations.models import Allocation
from tests.allocations.making import (
    HOUR,
    a_case,
    a_decision,
    a_person,
    a_share,
    an_allocation,
    staff,
)
from tests.factories import an_organisation

pytestmark = pytest.mark.django_db
LIST = "/api/allocations/"


def post(client, url, **values):
    return client.post(url, json.dumps(values), content_type="application/json")


def body(response):
    return b"".join(response.streaming_content).decode()


def test_a_list_holds_what_the_person_may_see(program):
    lead = a_person()
    case = a_case(lead=lead, title="Tulips")
    ours = an_allocation(case=case, gpu_seconds=HOUR)
    an_allocation()

    answer = program(lead).get(LIST).json()

    assert (answer["count"], answer["page"], answer["size"]) == (1, 1, 25)
    assert answer["items"] == [
        {
            "account": ours.account,
            "case": case.code,
            "case_title": "Tulips",
            "organisation": case.organisation.name,
            "application": ours.decision.application.code,
            "starts_on": str(ours.starts_on),
            "ends_on": str(ours.ends_on),
            "gpu_seconds_granted": HOUR,
            "gpu_seconds_held": 0,
            "gpu_seconds_spent": 0,
            "gpu_seconds_expired": 0,
            "gpu_seconds_left": HOUR,
        }
    ]
    assert program(staff()).get(LIST).json()["count"] == 2


def test_one_allocation_comes_with_its_grants_warnings_and_next_steps(program):
    lead = a_person()
    allocation = an_allocation(case=a_case(lead=lead), gpu_seconds=10 * HOUR)
    actions.hold(allocation, run_key="a", gpu_seconds=8 * HOUR)

    answer = program(lead).get(f"{LIST}{allocation.account}").json()

    assert answer["gpu_seconds_left"] == 2 * HOUR
    assert [grant["share"] for grant in answer["grants"]] == ["nl"]
    assert [warning.split(" % ")[0] for warning in answer["warnings"]] == ["More than 80"]
    assert [step["name"] for step in answer["next_steps"]] == ["run"]


def test_lines_tell_what_changed(program):
    lead = a_person()
    allocation = an_allocation(case=a_case(lead=lead), gpu_seconds=10 * HOUR)
    actions.hold(allocation, run_key="a", gpu_seconds=8 * HOUR)
    actions.settle(allocation, run_key="a", gpu_seconds_used=11 * HOUR)

    lines = program(lead).get(f"{LIST}{allocation.account}/lines").json()["items"]

    assert [(line["kind"], line["share"], line["change_in_left"]) for line in lines] == [
        ("overrun", "", 0),
        ("spend", "nl", -10 * HOUR),
        ("release", "nl", 8 * HOUR),
        ("hold", "nl", -8 * HOUR),
        ("grant", "nl", 10 * HOUR),
    ]


def test_what_is_not_yours_does_not_exist(program):
    allocation = an_allocation()

    for tail in ("", "/lines"):
        answer = program(a_person()).get(f"{LIST}{allocation.account}{tail}")
        assert (answer.status_code, answer.json()["code"]) == (404, "not_found")


def test_staff_open_an_award_that_waits(program):
    a_share()
    decision = a_decision(gpu_hours=10)
    code = decision.application.code
    seen = program(staff())

    waiting = seen.get(f"{LIST}awaiting").json()
    made = post(seen, LIST, application=code, share="nl")

    assert [(one["application"], one["gpu_hours"]) for one in waiting["items"]] == [(code, 10)]
    assert made.status_code == 201
    assert made.json()["gpu_seconds_left"] == 10 * HOUR
    assert seen.get(f"{LIST}awaiting").json()["count"] == 0


def test_others_neither_see_what_waits_nor_open_it(program):
    decision = a_decision()
    seen = program(decision.application.case.created_by)

    assert seen.get(f"{LIST}awaiting").status_code == 403
    assert (
        post(seen, LIST, application=decision.application.code, share="nl").status_code == 403
    )
    assert not Allocation.objects.exists()


def test_an_unknown_share_is_refused_with_those_there_are(program):
    a_share()
    a_share("shut", is_open=False)

    answer = post(
        program(staff()), LIST, application=a_decision().application.code, share="none"
    )

    assert answer.status_code == 422
    assert answer.json()["fields"] == {"share": "There is no share “none”. Choose one of: nl."}


@pytest.mark.parametrize("day", ["0001-01-01", "9999-12-31"])
def test_a_day_far_away_is_refused_with_where(program, day):
    a_share()
    allocation, code = an_allocation(), a_decision().application.code
    seen = program(staff())

    granted = post(seen, LIST, application=code, share="nl", starts_on=day)
    extended = post(seen, f"{LIST}{allocation.account}/extend", ends_on=day)

    assert (granted.status_code, extended.status_code) == (422, 422)
    assert list(granted.json()["fields"]) == ["starts_on"]
    assert list(extended.json()["fields"]) == ["ends_on"]


def test_staff_give_more_time(program):
    allocation = an_allocation(gpu_seconds=HOUR)
    day = str(timezone.localdate() + timedelta(days=200))

    answer = post(
        program(staff()),
        f"{LIST}{allocation.account}/extend",
        ends_on=day,
        share="nl",
        gpu_hours=1,
    )

    assert (answer.json()["ends_on"], answer.json()["gpu_seconds_left"]) == (day, 2 * HOUR)


def test_a_spreadsheet_holds_what_the_person_may_see_and_runs_nothing(program):
    lead = a_person()
    organisation = an_organisation(lead=lead, name="=cmd|' /C calc'!A0")
    ours = an_allocation(
        case=a_case(lead=lead, organisation=organisation, title="@SUM(1)"), gpu_seconds=HOUR
    )
    an_allocation()

    answer = program(lead).get(f"{LIST}export.csv")

    rows = list(csv.DictReader(io.StringIO(body(answer).removeprefix("\ufeff"))))
    assert [row["account"] for row in rows] == [ours.account]
    assert (rows[0]["organisation"], rows[0]["case_title"]) == (
        "'=cmd|' /C calc'!A0",
        "'@SUM(1)",
    )
    assert (rows[0]["gpu_seconds_left"], rows[0]["ends_on"]) == (str(HOUR), str(ours.ends_on))
    assert answer["Content-Type"] == "text/csv; charset=utf-8"


def test_json_lines_hold_the_same_unquoted(program):
    lead = a_person()
    ours = an_allocation(case=a_case(lead=lead, title="=1+1"), gpu_seconds=HOUR)
    an_allocation()

    answer = program(lead).get(f"{LIST}export.jsonl")

    (row,) = [json.loads(line) for line in body(answer).splitlines()]
    assert (row["account"], row["case_title"], row["gpu_seconds_left"]) == (
        ours.account,
        "=1+1",
        HOUR,
    )


# A first page that holds all needs no counting.
@pytest.mark.parametrize(("many", "counting"), [(1, 0), (30, 1)])
def test_lists_cost_the_same_for_few_and_many(
    program, django_assert_num_queries, many, counting
):
    lead = a_person()
    case = a_case(lead=lead)
    for _ in range(many):
        allocation = an_allocation(case=case, gpu_seconds=100)
    for number in range(many):
        actions.hold(allocation, run_key=f"run{number}", gpu_seconds=1)
    seen = program(lead)
    seen.get("/api/people/me")  # the token is marked as used once a day

    with django_assert_num_queries(2 + counting):
        seen.get(LIST)
    with django_assert_num_queries(3 + counting):
        seen.get(f"{LIST}{allocation.account}/lines")
    with django_assert_num_queries(2):
        body(seen.get(f"{LIST}export.csv"))
