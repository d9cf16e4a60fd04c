"""The seed files: complete in both languages, and pointing only at what exists."""

import json
from pathlib import Path
from typing import Any

import pytest

from fabriek.allocations import aid

ROOMS = Path(__file__).parents[2] / "src" / "fabriek"
FORMS = sorted((ROOMS / "access/data/forms").glob("*.json"))
FILES = [
    ROOMS / "access/data/modes.json",
    ROOMS / "cases/data/sectors.json",
    ROOMS / "allocations/data/shares.json",
    *FORMS,
]
FIELD_KINDS = {"text", "longtext", "number", "choice", "yesno", "date"}
PREFILLS = {
    "case.title",
    "case.problem",
    "case.data",
    "case.personal_data",
    "case.confidential",
    "case.team",
    "case.trl_now",
    "case.trl_aimed",
    "mode.first_duration",
    "mode.min",
    "organisation.aid_declared_eur",
    "organisation.kind",
    "organisation.name",
    "person.email",
    "person.name",
}


def read(path: Path) -> Any:
    return json.loads(path.read_text(encoding="utf-8"))


def fields(form: Any) -> list[Any]:
    return [field for section in form["sections"] for field in section["fields"]]


def texts(thing: Any) -> list[dict[str, str]]:
    """Find every text in two languages, however deep."""
    if isinstance(thing, dict):
        if "nl" in thing or "en" in thing:
            return [thing]
        return [text for part in thing.values() for text in texts(part)]
    return [text for part in thing for text in texts(part)] if isinstance(thing, list) else []


MODES = read(ROOMS / "access/data/modes.json")
SHARES = read(ROOMS / "allocations/data/shares.json")


@pytest.mark.parametrize("path", FILES, ids=lambda path: path.name)
def test_every_text_is_there_in_dutch_and_english(path: Path):
    found = texts(read(path))

    assert found
    assert [text for text in found if set(text) != {"nl", "en"}] == []
    assert [text for text in found if bool(text["nl"]) != bool(text["en"])] == []


@pytest.mark.parametrize("path", FILES, ids=lambda path: path.name)
def test_dutch_says_u(path: Path):
    words = " ".join(text["nl"] for text in texts(read(path))).lower().replace("?", " ").split()

    assert {"je", "jij", "jouw", "jullie"} & set(words) == set()


@pytest.mark.parametrize(
    ("name", "sections", "questions"),
    [("short-1", 4, 14), ("technical-1", 5, 28), ("long-1", 9, 61)],
)
def test_a_form_is_in_proportion(name: str, sections: int, questions: int):
    form = read(ROOMS / f"access/data/forms/{name}.json")

    assert len(form["sections"]) == sections
    assert len(fields(form)) == questions
    assert name == f"{form['code']}-{form['version']}"


@pytest.mark.parametrize("path", FORMS, ids=lambda path: path.name)
def test_each_question_is_well_formed_and_named_once(path: Path):
    form = read(path)
    keys = [field["key"] for field in fields(form)]

    assert len(set(keys)) == len(keys)
    for field in fields(form):
        assert field["kind"] in FIELD_KINDS
        assert bool(field["choices"]) == (field["kind"] == "choice")
        assert (field["max_length"] is not None) == (field["kind"] in {"text", "longtext"})
        assert field["prefill"] is None or field["prefill"] in PREFILLS


@pytest.mark.parametrize("path", FORMS, ids=lambda path: path.name)
def test_a_question_is_only_shown_after_the_one_it_depends_on(path: Path):
    asked: dict[str, str] = {}

    for field in fields(read(path)):
        if field["show_if"]:
            assert asked[field["show_if"]["field"]] == "yesno"
            assert field["show_if"]["equals"] in {True, False}
        asked[field["key"]] = field["kind"]


def test_the_long_form_asks_ethics_under_six_headings():
    form = read(ROOMS / "access/data/forms/long-1.json")

    ethics = next(section for section in form["sections"] if section["key"] == "ethics")

    assert len(ethics["fields"]) == 6


@pytest.mark.parametrize("mode", MODES["modes"], ids=lambda mode: mode["code"])
def test_a_mode_points_at_a_form_a_share_and_kinds_that_exist(mode: Any):
    form = mode["form"]
    kinds = {kind["code"] for kind in MODES["kinds"]}
    excluded = {use["code"] for use in MODES["excluded_uses"]}

    assert (ROOMS / f"access/data/forms/{form['code']}-{form['version']}.json").is_file()
    assert mode["share"] in {share["code"] for share in SHARES["shares"]}
    assert set(mode["kinds"]) <= kinds
    assert set(mode["entry_level_only"]) | set(mode["only_in_eu_project"]) <= set(mode["kinds"])
    assert set(mode["excluded_uses"]) <= excluded


@pytest.mark.parametrize("mode", MODES["modes"], ids=lambda mode: mode["code"])
def test_a_mode_is_consistent_in_itself(mode: Any):
    steps = [step["step"] for step in mode["steps"]]

    assert 0 < mode["min"] <= mode["max"]
    assert mode["fixed"] == (mode["min"] == mode["max"])
    assert (mode["gpus_per_node"] is not None) == (mode["unit"] == "node_hours")
    assert (mode["cut_offs"] is not None) == (mode["window"] == "cut_offs")
    assert ("expert_review" in steps) == (mode["selection"] == "review")
    assert steps[-2:] == ["decision", "response"]


@pytest.mark.parametrize("mode", MODES["modes"], ids=lambda mode: mode["code"])
def test_the_decision_falls_within_the_promise_and_each_step_before_it(mode: Any):
    promise = mode["promise"]
    workdays = promise["amount"] * (5 if promise["unit"] == "weeks" else 1)
    days = [step["promised_workdays"] for step in mode["steps"][:-1]]

    assert days == sorted(days)
    assert days[-1] == workdays


def test_the_shares_make_up_the_whole_machine_and_national_ones_are_state_aid():
    shares = {share["code"]: share for share in SHARES["shares"]}

    assert sum(share["target_percent"] for share in shares.values()) == 100
    assert [code for code, share in shares.items() if share["state_aid"]] == ["nl", "nij_begun"]
    for share in shares.values():
        assert share["state_aid"] == (share["de_minimis_ceiling_eur_cents"] is not None)
        assert share["funder"] in {funder["code"] for funder in SHARES["funders"]}


def test_a_full_grant_of_a_mode_on_state_aid_fits_under_the_ceiling():
    shares = {share["code"]: share for share in SHARES["shares"]}

    for mode in MODES["modes"]:
        share = shares[mode["share"]]
        if share["state_aid"]:
            worth = aid.gross_grant_eur_cents(
                mode["max"] * 3600,
                tariff_eur_cents_per_gpu_hour=share["tariff_eur_cents_per_gpu_hour"],
            )
            assert worth <= share["de_minimis_ceiling_eur_cents"]
