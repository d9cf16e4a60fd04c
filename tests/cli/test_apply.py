"""Applying for GPU-hours from a terminal."""

import json

import pytest
from django.urls import reverse

from fabriek.access.models import Application
from fabriek.cases import actions as cases
from tests.access.worlds import a_draft, a_seeded_mode
from tests.cli.conftest import URL
from tests.factories import a_case, a_mode, a_person

pytestmark = pytest.mark.django_db


def written(tmp_path, answers):
    path = tmp_path / "answers.json"
    path.write_text(answers if isinstance(answers, str) else json.dumps(answers))
    return path


def test_without_anything_it_lists_the_access_modes(fabriek):
    a_mode()

    result = fabriek(a_person(), "apply")

    assert result.exit_code == 0
    assert result.stdout.splitlines()[1].split()[:2] == ["tiny", "Tiny"]


def test_with_a_case_it_says_what_fits(fabriek):
    lead = a_person()
    case = a_case(lead=lead)
    a_seeded_mode()
    cases.answer_intake(
        case, by=lead, purpose="try", experience="none", months=3, gpu_hours_guess=500
    )

    result = fabriek(lead, "apply", case.code)

    lines = result.stdout.splitlines()
    assert result.exit_code == 0
    assert lines[0].split() == ["mode", "fits", "why"]
    assert lines[1].split()[:2] == ["playground", "yes"]
    assert lines[-1] == (
        f"Start with: fabriek apply {case.code} --mode MODE (all modes: fabriek apply)"
    )


def test_a_case_without_intake_is_sent_to_it(fabriek):
    lead = a_person()
    case = a_case(lead=lead)

    result = fabriek(lead, "apply", case.code)

    assert result.stdout.splitlines()[0] == (
        f"Answer five questions for advice: {URL}{reverse('cases:intake', args=[case.code])}"
    )


def test_a_start_prints_a_file_to_fill_in(fabriek):
    lead = a_person()
    case = a_case(lead=lead)
    a_mode()

    result = fabriek(lead, "apply", case.code, "--mode", "tiny")

    application = Application.objects.get()
    assert application.case == case
    assert json.loads(result.stdout) == {"plan": {"goal": ""}}
    assert result.stderr == (
        "plan: Your plan\n"
        "  goal: What do you want to reach?\n"
        f"Fill this in and run: fabriek apply {application.code} --answers FILE --submit\n"
    )


def test_an_unknown_mode_starts_nothing(fabriek):
    lead = a_person()

    result = fabriek(lead, "apply", a_case(lead=lead).code, "--mode", "nowhere")

    assert result.exit_code == 1
    assert result.stderr.endswith("[not_found]\n")
    assert not Application.objects.exists()


def test_answers_are_kept_and_handed_in(fabriek, tmp_path):
    application, lead = a_draft()
    path = written(tmp_path, {"plan": {"goal": "Shorter waiting."}})

    result = fabriek(lead, "apply", application.code, "--answers", path, "--submit")

    application.refresh_from_db()
    assert result.exit_code == 0, result.stderr
    assert result.stdout.splitlines()[0] == "plan: kept"
    assert application.state == "submitted"
    assert application.answers.get().values["goal"] == "Shorter waiting."


def test_answers_are_kept_when_handing_in_is_refused(fabriek, tmp_path):
    application, lead = a_draft(mode=a_seeded_mode())
    path = written(tmp_path, {"project": {"result": "Nine in ten are right."}})

    result = fabriek(lead, "apply", application.code, "--answers", path, "--submit")

    application.refresh_from_db()
    assert result.exit_code == 1
    assert "  consents.civilian_purpose: " in result.stderr
    assert application.state == "draft"
    kept = application.answers.get(section="project").values
    assert kept["result"] == "Nine in ten are right."


def test_a_second_file_adds_to_the_first(fabriek, tmp_path):
    application, lead = a_draft(mode=a_seeded_mode())
    one = written(tmp_path, {"project": {"result": "Nine in ten."}})
    fabriek(lead, "apply", application.code, "--answers", one)
    two = written(tmp_path, {"project": {"approach": "tune_model"}})

    result = fabriek(lead, "apply", application.code, "--answers", two)

    kept = application.answers.get(section="project").values
    assert result.exit_code == 0
    assert (kept["result"], kept["approach"]) == ("Nine in ten.", "tune_model")


@pytest.mark.parametrize("text", ["{not json", "[]", '{"plan": "goal"}'])
def test_a_file_that_holds_no_answers_changes_nothing(fabriek, tmp_path, text):
    application, lead = a_draft()

    result = fabriek(
        lead, "apply", application.code, "--answers", written(tmp_path, text), "--submit"
    )

    application.refresh_from_db()
    assert result.exit_code == 1
    assert str(tmp_path / "answers.json") in result.stderr
    assert application.state == "draft"


def test_a_section_that_is_not_there_is_refused(fabriek, tmp_path):
    application, lead = a_draft()
    path = written(tmp_path, {"poetry": {"goal": "x"}})

    result = fabriek(lead, "apply", application.code, "--answers", path)

    assert result.exit_code == 1
    assert result.stderr == (
        "This application has no such section. See its list of sections. [invalid]\n"
    )
