import json

import pytest

from tests.factories import a_case, a_person
from tests.hub.calls import Hub


@pytest.fixture
def lead():
    return a_person()


@pytest.fixture
def case(lead):
    return a_case(lead=lead)


@pytest.fixture
def made(program, case, lead):
    """Make a repository by the protocol: `made("datasets")` gives a Hub on it."""

    def make(kind="datasets", name="questions"):
        client = program(lead)
        asked = {"name": name, "organization": case.code, "type": kind[:-1]}
        answer = client.post(
            "/api/repos/create", json.dumps(asked), content_type="application/json"
        )
        assert answer.status_code == 200, answer.content
        return Hub(client, f"{case.code}/{name}", kind)

    return make


@pytest.fixture
def hub(made):
    return made()
