"""What a card tells of a model that learned from plain text, and where it comes from."""

import json

import pytest

from fabriek.registry import actions
from tests.factories import a_model
from tests.registry.worlds import a_finished_run

pytestmark = pytest.mark.django_db

FACTS = {
    "rows_trained": 5_400,
    "rows_held_out": 100,
    "tokens_seen": 2_400_000,
    "tokens_in_text": 800_000,
    "passes": 3.0,
    "general_tokens_in_text": 90_000,
    "texts_left_out": 104,
    "tokens_per_word": 1.312,
    "tokens_per_word_base": 1.871,
    "flop_estimate": 1.5e15,
}
SCORES = {"text_perplexity_before": 31.25, "text_perplexity_after": 12.5}


def registered(method, **facts):
    run = a_finished_run(
        recipe="pretrain_lm",
        base=a_model(is_open=True),
        knobs={"method": method},
        scores=SCORES,
    )
    (run.folder / "outputs/report.json").write_text(json.dumps(FACTS | facts))
    return actions.register(run)


def test_the_card_tells_text_passes_and_tokens_for_a_word():
    card = registered("new").card

    for line in (
        "- Tokens in the text it learned from: 800,000",
        "- Passes over that text: 3.0",
        "- Tokens in the general text that was mixed in: 90,000",
        "- Texts left out, as they or their twins are scored on: 104",
        "- Tokens for a word with its tokenizer: 1.312",
        "- Tokens for a word with the tokenizer of the model compared with: 1.871",
        "| text perplexity | 31.250 | 12.500 |",
    ):
        assert line in card, line
    assert "hesitates among 12.500 pieces of words on average (perplexity)" in card


@pytest.mark.parametrize("hostile", ["<b>", [1], {"a": 1}, True, -3, 1e400])
def test_figures_that_are_none_are_left_out(hostile):
    card = registered("new", tokens_in_text=hostile).card

    assert "Tokens in the text it learned from" not in card


@pytest.mark.parametrize(
    ("method", "has_base"), [("new", False), ("full", True), ("lora", True)]
)
def test_a_model_whose_tokenizer_was_only_compared_with_is_no_base(method, has_base):
    model = registered(method)

    assert (model.base is not None) == has_base
    assert ("trained from scratch" in model.card) != has_base
