"""Croissant's own reader fetches the files of a dataset from here, and reads its rows."""

import base64
import json

import mlcroissant
import pytest

from tests.catalogue.conftest import in_the_catalogue
from tests.factories import a_person, a_token

pytestmark = [
    pytest.mark.django_db(transaction=True),
    pytest.mark.filterwarnings("ignore"),
]


def basic(key):
    told = base64.b64encode(f"token:{key}".encode()).decode()
    return {"Authorization": f"Basic {told}"}


@pytest.fixture
def lead():
    return a_person()


@pytest.fixture
def reader(lead, monkeypatch, tmp_path):
    """Give Croissant's reader a token of the lead, and an empty cache."""
    monkeypatch.setenv("CROISSANT_BASIC_AUTH_USERNAME", "token")
    monkeypatch.setenv("CROISSANT_BASIC_AUTH_PASSWORD", a_token(lead))
    monkeypatch.setenv("CROISSANT_CACHE", str(tmp_path))
    return mlcroissant.Dataset


@pytest.fixture
def dataset(lead):
    files = {"train.csv": b"id,tekst\n1,hallo\n2,dag\n"}
    return in_the_catalogue(files=files, facts={"by": lead})


def test_its_rows_are_read_with_a_token_as_password(
    live_server, settings, program, dataset, reader
):
    settings.FACTORY_URL = live_server.url
    found = program(dataset.created_by).get(f"/catalogue/{dataset.code}.croissant.json").json()

    loaded = reader(jsonld=found)

    rows = list(loaded.records(found["recordSet"][0]["@id"]))
    assert [row["rows-train.csv/tekst"] for row in rows] == [b"hallo", b"dag"]


@pytest.mark.parametrize(
    "told", ["Basic !", "Basic dG9rZW4=", "Basic", "Basic dG9rZW46bm9wZQ=="]
)
def test_a_password_that_is_no_token_lets_nobody_in(client, dataset, told):
    address = f"/api/datasets/{dataset.repository.repo_id}"

    answer = client.get(address, headers={"Authorization": told})

    assert answer.status_code == 401
    assert json.loads(answer.content)["error"]


def test_a_token_as_password_lets_in_who_may_see_it(client, dataset, lead):
    address = f"/api/datasets/{dataset.repository.repo_id}"

    answer = client.get(address, headers=basic(a_token(lead)))

    assert answer.status_code == 200
