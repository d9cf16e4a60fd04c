"""Pairs of answers as a model reads them before a run: the shared question, then both."""

import json

import pytest

from fabriek.runs.models import Counted
from tests.runs import chats
from tests.runs.test_rows_seen import at, text_of, tokens_of  # noqa: F401

pytestmark = pytest.mark.django_db


def pair(asked=chats.ASKED, better="Bij de brug.", worse="Geen idee."):
    told = {"prompt": asked, "chosen": better, "rejected": worse}
    return json.dumps(told, ensure_ascii=False) + "\n"


def some_pairs(count):
    return "".join(pair(f"{chats.ASKED} {number}") for number in range(count))


def letters(runs):
    return "".join(one for run in runs for one in run["tokens"])


def look(at, **asked):  # noqa: F811
    return at.page(recipe="prefer_lm", **asked)


def wish(at):  # noqa: F811
    inputs = {"dataset": at.dataset.code, "model": at.model.code}
    return {"case": at.case.code, "recipe": "prefer_lm", "inputs": inputs}


def test_the_question_is_read_once_and_both_answers_count(at):  # noqa: F811
    at.push({"rows.jsonl": some_pairs(12)})

    answer = look(at)

    page = text_of(answer)
    assert answer.status_code == 200
    assert f"{chats.ASKED} 0" in tokens_of(answer, "seen__run--user")
    counted = tokens_of(answer, "seen__run--assistant seen__run--learned")
    assert ("Bij de brug." in counted, "Geen idee." in counted) == (True, True)
    assert "The better answer: to become likelier" in page
    assert "The other answer: to become less likely" in page
    assert "The question, which both answers share: read, and no more." in page
    assert "Both answers of a pair count; the question is only read." in page
    assert "All 12 rows have at most" in page


def test_programs_get_the_question_and_both_answers_apart(at, program):  # noqa: F811
    at.push({"rows.jsonl": some_pairs(3)})

    told = program(at.person).post("/api/runs/rows", wish(at), content_type="application/json")

    assert told.status_code == 200
    first = told.json()["rows"][0]
    better, worse = first["answers"]
    assert letters(better).replace(chats.END, "") == "Bij de brug."
    assert letters(worse).replace(chats.END, "") == "Geen idee."
    assert "Bij de brug." not in letters(first["runs"])
    counts = [run for run in better + worse if run["learned"]]
    assert first["learned"] == sum(len(run["tokens"]) for run in counts)


def test_a_pair_that_is_learned_and_scored_refuses_the_run(at, program):  # noqa: F811
    at.push({"rows.jsonl": some_pairs(12), "test.jsonl": pair(f"{chats.ASKED} 3")})

    page = text_of(look(at))
    refused = program(at.person).post(
        "/api/runs/price", wish(at), content_type="application/json"
    )

    assert "so the run is refused: line 1 of test.jsonl as line 4 of rows.jsonl." in page
    assert refused.status_code == 422
    assert "Line 4 of rows.jsonl is the same row as line 1 of test.jsonl" in refused.text


def test_a_question_with_other_answers_apart_is_told_and_lets_the_run_go_on(
    at,  # noqa: F811
    program,
):
    other = pair(f"{chats.ASKED} 3", better="Naast de kerk.")
    at.push({"rows.jsonl": some_pairs(12), "test.jsonl": other})

    page = text_of(look(at))
    price = program(at.person).post(
        "/api/runs/price", wish(at), content_type="application/json"
    )

    assert "1 row kept apart asks what is learned from with another answer" in page
    assert price.status_code == 200


def test_what_was_counted_corrects_the_price_and_is_kept_apart_from_chats(
    at,  # noqa: F811
    program,
):
    at.push({"rows.jsonl": some_pairs(20)})

    def price():
        return program(at.person).post(
            "/api/runs/price", wish(at), content_type="application/json"
        )

    before = price().json()["why"][0]
    look(at)
    after = price().json()["why"][0]

    assert before.startswith("The tokens are guessed")
    assert after.startswith("The tokens were counted with the model's own tokenizer")
    assert [one.way for one in Counted.objects.all()] == ["pairs-2"]


def test_the_longer_answer_decides_whether_a_pair_is_left_out(at):  # noqa: F811
    at.push({"rows.jsonl": some_pairs(11) + pair(worse="lang " * 60)})

    page = text_of(look(at, tokens_per_row_max="64"))

    assert "1 row has more than 64 tokens and is left out: line 12 of rows.jsonl." in page


def test_rows_that_are_no_pairs_are_named_by_line(at):  # noqa: F811
    at.push({"rows.jsonl": some_pairs(2) + chats.row()})

    assert "rows.jsonl: Line 3 has no pair of answers" in text_of(look(at))
