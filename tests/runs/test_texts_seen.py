"""What somebody sees of plain text before a run: tokens, lengths, doubles, leaks."""

import gzip
import json

import pytest

from fabriek.runs import counted
from fabriek.runs.models import Counted
from tests.runs import chats
from tests.runs.test_rows_seen import at, text_of, tokens_of  # noqa: F401

pytestmark = pytest.mark.django_db

BASE = {"recipe": "pretrain_lm", "method": "full"}
OWN = {"recipe": "pretrain_lm", "model": "", "vocabulary": "300"}


def texts(count, first=0):
    made = [f"Verslag {n}: het water bij de brug stond {n % 7} duim." for n in range(count)]
    return made[first:]


def lines(made):
    return "".join(json.dumps({"text": one}) + "\n" for one in made)


def test_a_text_is_shown_as_the_base_model_reads_it_with_the_sign_of_its_end(at):  # noqa: F811
    at.push({"a.jsonl": lines(texts(12))})

    answer = at.page(**BASE)

    page = text_of(answer)
    learned = tokens_of(answer, "seen__run--text seen__run--learned")
    assert "Verslag 0: het water bij de brug stond 0 duim." in learned
    assert tokens_of(answer, "seen__run--signs seen__run--learned")[0] == "&lt;|end|&gt;"
    assert "Texts counted 12. All of them." in page
    assert "12 of 12 texts fit in 256 tokens." in page
    assert "Line 1 of a.jsonl" in page
    assert Counted.objects.get().way == counted.OF_TEXTS


def test_with_a_tokenizer_of_its_own_one_is_made_for_the_look(at):  # noqa: F811
    at.push({"a.txt": "\n\n".join(texts(40))})

    page = at.text(**OWN)

    assert "These tokens are of a tokenizer made for this look" in page
    assert "Texts counted 40. All of them." in page
    assert "Tokens for a word" in page
    assert Counted.objects.count() == 0


def test_long_texts_doubles_and_leaks_are_said_and_refuse_nothing(at):  # noqa: F811
    made = texts(6)
    at.push(
        {
            "a.jsonl": lines([*made, made[2], "lang woord " * 200]),
            "test.jsonl": lines([made[4], "Iets anders."]),
        }
    )

    page = at.text(**BASE, context_tokens="64")

    assert "1 text has more than 64 tokens and is cut in pieces." in page
    assert (
        "1 text is the same as an earlier one: line 7 of a.jsonl as line 3 of a.jsonl." in page
    )
    assert (
        "line 1 of test.jsonl as line 5 of a.jsonl. The run leaves it out of learning." in page
    )
    assert "so the run is refused" not in page
    assert "Something must be mended" not in page


def test_packed_text_and_text_in_a_table_are_seen_too(at):  # noqa: F811
    packed = gzip.compress(lines(texts(5)).encode())
    at.push({"a.jsonl.gz": packed})

    assert "Texts counted 5. All of them." in at.text(**BASE)


def test_a_wrong_line_is_named(at):  # noqa: F811
    at.push({"a.jsonl": lines(texts(3)) + '{"tekst": 1}\n'})

    page = at.text(**BASE)

    assert 'a.jsonl: Line 4 has no text; write {"text": "…"}.' in page
    assert "Something must be mended" in page


def test_a_dataset_without_text_is_told(at):  # noqa: F811
    at.push({"a.csv": "x\n1\n"})

    answer = at.page(**BASE)

    assert answer.status_code == 422
    assert "has no .txt, .jsonl or .parquet file" in text_of(answer)


def test_what_was_counted_corrects_the_price(at):  # noqa: F811
    at.push({"a.jsonl": lines(texts(50))})
    form = f"/runs/new?case={at.case.code}&recipe=pretrain_lm&knob_method=full&model="
    form += f"{at.model.code}@1"
    before = text_of(at.browser(at.person).get(form))

    at.text(**BASE)

    after = text_of(at.browser(at.person).get(form))
    assert "The tokens are guessed from the size of the files." in before
    assert "The tokens were counted with the tokenizer of the base model." in after


def test_a_sign_of_the_end_that_the_model_does_not_know_is_told_where_it_goes_on(at):  # noqa: F811
    """A new model is made as large as the tokenizer."""
    far = json.loads(chats.tokenizer())
    known = len(far["model"]["vocab"])
    far["added_tokens"].append(far["added_tokens"][0] | {"id": known, "content": "<|stop|>"})
    model = {
        "tokenizer__json": json.dumps(far),
        "tokenizer_config__json": json.dumps({"eos_token": "<|stop|>"}),
        "config__json": json.dumps({"model_type": "llama", "vocab_size": known}),
    }
    at.push({"a.jsonl": lines(texts(12))}, **model)

    said = (
        f"The base model knows {known} pieces of words and its tokenizer uses number {known}:"
    )
    assert said in at.text(**BASE)
    assert said not in at.text(recipe="pretrain_lm", method="new", tokenizer="base")


def test_who_may_not_read_the_text_sees_numbers_only(at, monkeypatch):  # noqa: F811
    at.push({"a.jsonl": lines(texts(12))})
    monkeypatch.setattr("fabriek.runs.look._may_see_words", lambda *_: False)

    for asked in (BASE, BASE, OWN):
        page = at.text(**asked)
        assert "lets you train on them, not read them" in page
        assert "Texts counted 12." in page
        assert "water" not in page


def test_text_with_personal_data_is_hidden(at, monkeypatch):  # noqa: F811
    at.push({"a.jsonl": lines(["Bel mevrouw De Wit op 0612345678 of mail wit@voorbeeld.nl."])})

    bare = at.text(**BASE)
    monkeypatch.setattr("fabriek.runs.look._hidden", lambda _revision: ["text"])
    hidden = at.text(**BASE)

    assert "0612345678" not in bare.replace(" ", "")
    assert "wit@voorbeeld.nl" not in bare.replace(" ", "")
    assert "mevrouw" not in hidden
    assert "Words that hold personal data are hidden here" in hidden


@pytest.mark.parametrize("vocabulary", ["300", "65536"])
def test_the_same_text_a_thousand_times_makes_no_trouble(at, vocabulary):  # noqa: F811
    at.push({"a.jsonl": lines(["a"] * 1_000)})

    page = at.text(**OWN | {"vocabulary": vocabulary})

    assert "999 texts are the same as an earlier one" in page


def test_going_on_without_a_model_asks_for_one(at):  # noqa: F811
    at.push({"a.jsonl": lines(texts(3))})

    answer = at.page(**BASE, model="")

    assert answer.status_code == 422
    assert "Choose what the run works on first" in text_of(answer)


def test_the_form_is_sent_with_what_decides_how_texts_are_cut(at):  # noqa: F811
    at.push({"a.jsonl": lines(texts(3))})
    form = {
        "input_dataset": f"{at.dataset.code}@1",
        "knob_method": "new",
        "knob_vocabulary": "500",
        "knob_context_tokens": "128",
    }

    answer = at.browser(at.person).post(
        f"/runs/rows?case={at.case.code}&recipe=pretrain_lm", form
    )

    assert "method=new&vocabulary=500&context_tokens=128" in answer.url
    assert at.browser(at.person).get(answer.url).status_code == 200


def test_the_page_speaks_dutch(at):  # noqa: F811
    at.push({"a.jsonl": lines(texts(3))})

    told = {"case": at.case.code, "dataset": at.dataset.code} | OWN | {"model": ""}
    page = text_of(at.browser(at.person, "nl").get("/runs/rows", told))

    assert "Teksten geteld" in page
    assert "Stukjes per woord" in page
