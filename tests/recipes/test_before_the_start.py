"""What is known of rows before a run: their tokens, and whether any is scored and learned."""

import json
from dataclasses import replace

from fabriek_recipes.finetune_lm.knobs import RECIPE
from fabriek_recipes.kinds import Facts
from fabriek_recipes.leaks import leaks
from fabriek_recipes.rows import files_of
from tests.recipes.conftest import rows, write_rows

GUESSED = Facts(rows=100, text_bytes=40_000, base_parameters=10_000_000, device="cpu")


def counted(*lengths):
    facts = replace(GUESSED, token_lengths=lengths)
    return RECIPE.estimate(RECIPE.knobs(epochs=1, held_out_percent=0), facts)


def test_counted_rows_are_priced_by_their_tokens_and_those_too_long_not_at_all():
    short, longer, half = (
        counted((50, 100)),
        counted((500, 100)),
        counted((500, 50), (5_000, 50)),
    )

    assert (short.tokens, longer.tokens, half.tokens) == (5_000, 50_000, 25_000)
    assert "500 in a row on average, 500 in the longest row" in half.why[0]


def test_rows_that_were_not_counted_are_guessed_and_said_to_be():
    found = RECIPE.estimate(RECIPE.knobs(), GUESSED)

    assert "guessed from the size of the files" in found.why[0]


def test_of_few_rows_none_is_kept_apart_and_all_are_priced():
    one = replace(GUESSED, rows=1, token_lengths=((50, 1),))

    assert RECIPE.estimate(RECIPE.knobs(epochs=2), one).tokens == 100


def test_when_no_row_fits_the_guess_stands():
    assert "guessed" in counted((5_000, 100)).why[0]


def test_a_row_in_both_is_named_with_both_lines(tmp_path):
    made = rows(6)
    data = write_rows(tmp_path / "data", made)
    write_rows(data, [made[4], {"prompt": "nieuw", "completion": "ja"}, made[1]], "test.jsonl")

    found = leaks(files_of(data))

    assert [str(one).split(",")[0] for one in found] == [
        "Line 2 of rows.jsonl is the same row as line 3 of test.jsonl",
        "Line 5 of rows.jsonl is the same row as line 1 of test.jsonl",
    ]


def test_the_same_words_written_otherwise_are_the_same_row(tmp_path):
    talk = [{"role": "user", "content": "een"}, {"role": "assistant", "content": "twee"}]
    data = write_rows(tmp_path / "data", [{"prompt": "Een ", "completion": "twee\n"}])
    (data / "test.jsonl").write_text(json.dumps({"messages": talk}) + "\n")

    assert len(leaks(files_of(data))) == 1


def test_without_a_file_kept_apart_nothing_leaks(tmp_path):
    data = write_rows(tmp_path / "data", [rows(1)[0]] * 3)

    assert leaks(files_of(data)) == []


def test_of_several_files_the_one_with_a_wrong_row_is_named(tmp_path):
    data = write_rows(tmp_path / "data", rows(3))
    write_rows(data, [*rows(2), {"prompt": "en nu"}], "meer.jsonl")

    found = RECIPE.checks({"dataset": data})

    assert list(found) == ["In meer.jsonl:", "Line 3 has no completion; add it."]
