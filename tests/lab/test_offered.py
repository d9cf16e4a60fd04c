"""Whether interactive work is offered here, and what the doctor says of it."""

import pytest

from fabriek.lab import actions
from fabriek.serve import doctor, supervisor


def found():
    """Give the doctor's finding; the others look at machine and database."""
    [finding] = doctor._lab()  # noqa: SLF001  the list of all takes a whole machine
    return finding


@pytest.mark.parametrize(
    ("changed", "verdict", "mend"),
    [
        ({"LAB": False}, "optional", "Interactive work"),
        ({"LAB": True, "LAB_URL": "https://*.lab.example.org"}, "good", "Interactive work"),
        ({"LAB": True, "LAB_URL": ""}, "lacking", "FABRIEK_LAB_URL"),
    ],
)
def test_the_doctor_says_what_lacks(settings, changed, verdict, mend):
    for name, value in changed.items():
        setattr(settings, name, value)

    finding = found()

    assert finding.verdict == verdict
    assert mend in finding.mend


@pytest.mark.parametrize(
    ("portal", "told"),
    [("https://fabriek.example.org", ["Its address"]), ("https://fabriek.example.com", [])],
)
def test_the_doctor_warns_of_a_domain_that_labs_share_with_the_portal(offered, portal, told):
    offered.FACTORY_URL = portal

    findings = [one.what for one in doctor._lab()]  # noqa: SLF001  as above

    assert findings[1:] == told


def test_without_jupyterlab_it_is_lacking_and_not_offered(offered, monkeypatch):
    monkeypatch.setattr(actions.importlib.util, "find_spec", lambda _name: None)

    assert found().verdict == "lacking"
    assert ".[lab]" in found().mend
    assert not actions.is_offered()


@pytest.mark.parametrize(("is_on", "beside"), [(True, ["loop", "gateway"]), (False, ["loop"])])
def test_the_gateway_runs_only_where_there_is_work_to_go_into(offered, is_on, beside):
    offered.LAB = is_on

    assert list(supervisor._beside(8000)) == beside  # noqa: SLF001  what `run` starts
