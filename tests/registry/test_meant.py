"""A model made of data for some of a case: the others see that it is there, and no figures."""

import pytest
from django.test import Client

from fabriek.registry import actions as registry
from fabriek.runs.models import Run
from tests.agreements.policy_world import an_agreement
from tests.factories import a_case, a_partner, a_person, an_organisation
from tests.registry.worlds import a_consortium, a_finished_run, some_data


@pytest.fixture
def made(db):
    """Give a model of a run on data for the leader alone, the leader, and a partner."""
    case, lead, _member = a_consortium()
    partner = a_person()
    a_partner(case, organisation=an_organisation(lead=partner))
    data = some_data(a_case(lead=a_person()), code="D26-9100")
    firms = [case.organisation]
    an_agreement(data.repository, case, place="shared", organisations=firms)
    run = a_finished_run(case=case, data=[data])
    knobs = {**run.knobs, "epochs": 17}
    meant_for = f",{case.organisation_id},"
    Run.objects.filter(pk=run.pk).update(meant_for=meant_for, knobs=knobs)
    rows = Run.objects.select_related("case__organisation", "allocation", "asked_by")
    return registry.register(rows.get(pk=run.pk)), lead, partner


def told_to(person, model, program):
    browser = Client(headers={"Accept-Language": "en"})
    browser.force_login(person)
    address = f"/api/models/{model.code}"
    return {
        "detail": program(person).get(address).json(),
        "listed": program(person).get("/api/models/").json()["items"][0],
        "card": program(person).get(f"{address}/card").json()["card"],
        "origin": program(person).get(f"{address}/origin").text,
        "page": browser.get(model.get_absolute_url()).text,
    }


def test_others_of_the_case_read_neither_scores_nor_settings(made, program):
    model, lead, partner = made
    ours, theirs = told_to(lead, model, program), told_to(partner, model, program)

    assert ours["detail"]["scores"] == ours["listed"]["scores"] != {}
    assert "Passes over the data: 17" in ours["origin"]
    assert "What it is worth" in ours["page"]
    assert theirs["detail"]["scores"] == theirs["listed"]["scores"] == {}
    assert (theirs["detail"]["facts"], theirs["card"]) == ({}, "")
    assert "Passes over the data" not in theirs["origin"]
    assert "What it is worth" not in theirs["page"]


@pytest.mark.parametrize("paper", ["bom", "record.ttl"])
def test_nor_its_papers(made, program, paper):
    model, lead, partner = made

    assert program(lead).get(f"/api/models/{model.code}/{paper}").status_code == 200
    refused = program(partner).get(f"/api/models/{model.code}/{paper}")
    assert (refused.status_code, refused.json()["code"]) == (403, "not_meant")
