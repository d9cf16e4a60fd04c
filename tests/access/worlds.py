"""Small worlds for the tests of access: an application at each place on its way."""

import json
from pathlib import Path

from fabriek.access import actions
from fabriek.access.models import Mode
from fabriek.access.seed import seed_modes
from tests.factories import a_case, a_mode, a_person, an_assessor, staff

DATA = Path(__file__).parents[2] / "src/fabriek/access/data"

SCORES = {
    "scale": [0, 5],
    "criteria": [
        {"key": key, "name": {"nl": key, "en": key}, "min": 3}
        for key in ("impact", "excellence", "implementation")
    ],
    "min_total": 10,
}
GOOD = {"impact": 4, "excellence": 4, "implementation": 3}
POOR = {"impact": 2, "excellence": 5, "implementation": 5}


def a_reviewed_mode(code="reviewed"):
    return a_mode(
        code,
        selection="review",
        name={"nl": "Groot", "en": "Large"},
        steps=[
            {
                "step": "expert_review",
                "min_reviewers": 2,
                "min_score": SCORES,
                "visible_to_applicant": False,
            }
        ],
    )


def a_seeded_mode(code="playground"):
    seed_modes()
    return Mode.objects.get(code=code)


def a_draft(*, mode=None, case=None, lead=None):
    """Make a draft through the door, as its lead would; returns application and lead."""
    lead = lead or a_person()
    case = case or a_case(lead=lead)
    return actions.start(case, mode=mode or a_mode(), by=lead), lead


def a_submitted(*, mode=None, case=None, lead=None, goal="Shorter waiting."):
    application, lead = a_draft(mode=mode, case=case, lead=lead)
    actions.save_section(application, "plan", {"goal": goal}, version=0, by=lead)
    return actions.submit(application, by=lead), lead


def an_eligible(**given):
    application, lead = a_submitted(**given)
    return actions.find_eligible(application, by=staff()), lead


def a_feasible(**given):
    application, lead = an_eligible(**given)
    actions.assess(application, step="technical", by=an_assessor(), remarks="It will run.")
    return application, lead


def a_reviewed(*, scores=GOOD, **given):
    application, lead = a_feasible(mode=a_reviewed_mode(), **given)
    for _ in range(2):
        actions.assess(
            application, step="review", by=an_assessor(), scores=scores, remarks="Clear."
        )
    return actions.finish_review(application, by=staff()), lead


def an_awarded(**given):
    application, lead = a_feasible(**given)
    actions.award(
        application,
        by=staff(),
        gpu_hours=application.gpu_hours_asked,
        months=3,
        reasons="Good.",
    )
    return application, lead


PLAYGROUND = {
    "project": {
        "title": "Triage",
        "summary": "Sort messages by department.",
        "approach": "tune_model",
        "result": "Nine in ten messages at the right desk.",
    },
    "data": {"data_description": "Messages.", "data_size": "1,5", "personal_data": "no"},
    "use": {"months": "3", "help_wanted": "start"},
    "consents": {
        "civilian_purpose": "yes",
        "no_double_funding": "yes",
        "aid_received": "0",
        "accepts_terms": "yes",
    },
}


def write_all(application, *, by, answers=PLAYGROUND):
    for section, values in answers.items():
        kept = application.answers.filter(section=section).first()
        version = kept.version if kept else 0
        actions.save_section(application, section, values, version=version, by=by)


def form_file(name):
    return json.loads((DATA / "forms" / f"{name}.json").read_text(encoding="utf-8"))
