"""Names that are for nobody else are found however somebody wrote them."""

import pytest

from fabriek.cases import actions as cases
from fabriek.cases.models import Case
from fabriek.registry import for_everybody
from tests.registry.worlds import a_consortium

pytestmark = pytest.mark.django_db

TOLD = (
    "Zwanenmeer-overname",
    "ZwanenmeerOvername",
    "zwanenmeerovername-7b",
    "Zwanen**meer** overname",
    "Zwanenmeer&nbsp;overname",
    "Zwanenmeer<br>overname",
    "Zwanen<b>meer</b> overname",
    "\\u005awanenmeer overname",
    "Zw\u0430nenm\u0435er overname",  # Cyrillic
    "\uff3a\uff57anenmeer overname",  # as wide as a Chinese sign
    "Zwanen\u00admeer overname",
    "Zwanen\u200bmeer overname",
    "C26_0001",
    "c260001",
    "mijnC26-0001",
)
UNTOLD = "zwanen meer over de overname van C26-00012 en 9c2600017f"


def test_the_title_of_a_confidential_case_is_found_however_it_is_written():
    case, lead, _member = a_consortium()
    cases.edit(case, by=lead, title="Zwanenmeer overname", is_confidential=True)
    Case.objects.filter(pk=case.pk).update(code="C26-0001")
    case.code = "C26-0001"

    assert [word for word in TOLD if not for_everybody.tells(case, word)] == []
    assert not for_everybody.tells(case, UNTOLD)

    cases.edit(case, by=lead, title="Iets anders")
    assert for_everybody.tells(case, "de ZwanenmeerOvername")

    case.is_confidential = False
    assert not for_everybody.tells(case, TOLD[0])
