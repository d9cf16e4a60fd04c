"""One answer at a time: asked as in training, token by token, base and addition in turn."""

import json
import shutil
import threading
from itertools import count

import pytest
import torch

from fabriek_recipes.conversations import Message, Row
from fabriek_recipes.events import Event, read_events
from fabriek_recipes.training import switched
from fabriek_recipes.training.base import load
from fabriek_recipes.training.encoding import encode
from fabriek_recipes.training.prediction import answers
from fabriek_recipes.training.process import main
from fabriek_recipes.training.writing import Growing, Manner, asked, written
from fabriek_recipes.try_model import train
from fabriek_recipes.try_model.knobs import Knobs
from fabriek_recipes.try_model.lines import ANSWERS, QUESTIONS, TOKENS_MAX, Question, said_in
from tests.recipes.conftest import prepare
from tests.recipes.tuned import taught

CPU = torch.device("cpu")
PROMPT = "Er brandt iets bij de sluis, huis 2."
TEMPLATE = (
    "{% for m in messages %}<{{ m['role'] }}>{{ m['content'] }}"
    "{% if m['role'] == 'assistant' %}{{ eos_token }}{% endif %}{% endfor %}"
    "{% if add_generation_prompt %}<assistant>{% endif %}"
)


@pytest.fixture(scope="module")
def tuned(tmp_path_factory, base):
    return taught(tmp_path_factory.mktemp("tuned"), base)


@pytest.fixture
def model(tuned):
    return load(tuned, CPU, frozen=True)


def prompt_of(base, text=PROMPT):
    return asked(base, [Message("user", text)])


def drawn(base, manner, text=PROMPT):
    return list(written(base.model, prompt_of(base, text), stops=base.stops, manner=manner))


# --- as in training ----------------------------------------------------------------------
@pytest.mark.parametrize("template", [None, TEMPLATE])
@pytest.mark.parametrize("system", ["", "Wees kort."])
def test_a_question_is_the_tokens_that_training_puts_before_the_answer(model, template, system):
    model.tokenizer.chat_template = template
    told = ([Message("system", system)] if system else []) + [Message("user", PROMPT)]
    row = Row(line=1, messages=(*told, Message("assistant", "urgentie: hoog")))

    (learned,) = encode([row], model.tokenizer)

    assert asked(model, told) == learned.prompt_ids


def test_the_likeliest_answer_is_that_of_scoring_to_the_token(model):
    prompts = [prompt_of(model), prompt_of(model, "Een vraag over het plein.")]
    scored = answers(model.model, prompts, stops=model.stops, tokens_max=20, check=lambda: None)

    told = [
        list(written(model.model, one, stops=model.stops, manner=Manner(tokens_max=20)))
        for one in prompts
    ]

    assert told == scored
    assert any(scored)


def test_a_seed_gives_the_same_answer_again_and_another_seed_another(model):
    bold = {"temperature": 1.5, "tokens_max": 20}

    first, again, other = (drawn(model, Manner(seed=seed, **bold)) for seed in (5, 5, 6))

    assert first == again
    assert first != other


def test_a_sign_of_several_tokens_is_told_only_when_it_is_whole(model):
    growing = Growing(model.tokenizer)
    told = ""
    for token in model.tokenizer("à 🏭!", add_special_tokens=False)["input_ids"]:
        growing.ids.append(token)
        kept, more = growing.news()
        assert "\ufffd" not in more
        told = told[:kept] + more

    kept, more = growing.news(is_whole=True)

    assert told[:kept] + more == "à 🏭!"


# --- base and addition -------------------------------------------------------------------
def test_one_set_of_weights_speaks_for_both(base, tuned, model):
    plain, whole = load(base, CPU, frozen=True), load(base, CPU, frozen=True)
    before = sum(weight.numel() for weight in whole.model.parameters())

    switch = switched.attach(whole.model, tuned / "adapter")
    told = {}
    for side, on in (("base", False), ("model", True), ("base again", False)):
        switch.turn(on=on)
        told[side] = drawn(whole, Manner(tokens_max=16))

    added = sum(weight.numel() for weight in whole.model.parameters()) - before
    assert told["base"] == told["base again"] == drawn(plain, Manner(tokens_max=16))
    assert told["model"] == drawn(model, Manner(tokens_max=16)) != told["base"]
    assert 0 < added < before


def test_two_answers_in_turn_are_those_of_each_alone(base, tuned):
    both = load(base, CPU, frozen=True)
    switch = switched.attach(both.model, tuned / "adapter")
    manner = Manner(tokens_max=12, temperature=0.8, seed=3)

    def alone(on):
        switch.turn(on=on)
        return drawn(both, manner)

    apart = [alone(False), alone(True)]
    sides = [
        written(both.model, prompt_of(both), stops=both.stops, manner=manner) for _ in range(2)
    ]
    told = [[], []]
    for _token in range(13):
        for number, side in enumerate(sides):
            switch.turn(on=bool(number))
            if (token := next(side, None)) is not None:
                told[number].append(token)

    assert told == apart


@pytest.mark.parametrize(
    "broken",
    [
        {"use_dora": True},
        {"peft_type": "IA3"},
        {"r": 3},
        {"bias": "all"},
        {"rank_pattern": {"q_proj": 2}},
    ],
)
def test_an_addition_that_is_not_understood_changes_nothing(base, tuned, tmp_path, broken):
    shutil.copytree(tuned / "adapter", tmp_path / "adapter")
    config = json.loads((tmp_path / "adapter/adapter_config.json").read_text()) | broken
    (tmp_path / "adapter/adapter_config.json").write_text(json.dumps(config))
    whole = load(base, CPU, frozen=True)

    assert switched.attach(whole.model, tmp_path / "adapter") is None
    assert not any(isinstance(one, switched.SwitchedLinear) for one in whole.model.modules())


# --- a session as a job ------------------------------------------------------------------
class Session:
    """The job in this process, and beside it a portal that asks and keeps what was said."""

    def __init__(self, folder, recipe_inputs, monkeypatch, *, lasts_s=2.0):
        self.run = prepare(folder, "try_model", {"idle_minutes": 1}, recipe_inputs)
        self.seen = []
        monkeypatch.setattr(train, "LEAVE_EARLY_S", 60 - lasts_s)
        self._keeps = threading.Event()

    def asks(self, *questions, stops=()):
        lines = [{"kind": "ask", **question.told()} for question in questions]
        lines += [{"kind": "stop", "number": number} for number in stops]
        with (self.run.folder / QUESTIONS).open("a") as file:
            file.writelines(f"{json.dumps(line)}\n" for line in lines)

    def serves(self):
        watching = threading.Thread(target=self._watch)
        watching.start()
        code = main("try_model", Knobs, [str(self.run.folder)])
        self._keeps.set()
        watching.join()
        return code

    @property
    def said(self):
        return said_in(self.seen)

    def _watch(self):
        at = 0
        while not self._keeps.wait(0.005):
            found, at = read_events(self.run.folder / ANSWERS, at)
            self.seen += found


@pytest.fixture
def session(tmp_path, base, tuned, monkeypatch):
    inputs = {"model": tuned, "base": base}
    return Session(tmp_path / "session", inputs, monkeypatch)


def test_both_sides_answer_what_was_asked_and_nothing_of_it_is_left(session, model, capfd):
    session.asks(
        Question(number=1, prompt=PROMPT, tokens_max=16),
        Question(number=2, prompt="x" * 4_000, tokens_max=16),
        Question(number=3, prompt="Nog een", tokens_max=3),
    )

    code = session.serves()

    said = session.said
    expected = model.tokenizer.decode(
        drawn(model, Manner(tokens_max=16)), skip_special_tokens=True
    )
    assert code == 0
    assert said[1]["model"].text == expected.strip()
    assert said[1]["base"].text != said[1]["model"].text
    assert all(one.is_over and one.seconds > 0 for one in said[1].values())
    assert said[1]["model"].prompt_tokens == len(prompt_of(model))
    assert {one.refusal.msgid[:13] for one in said[2].values()} == {"This question"}
    assert said[3]["model"].why == "cut"
    assert not (session.run.folder / ANSWERS).exists()
    log, told = capfd.readouterr(), (session.run.folder / "events.jsonl").read_text()
    assert "brandt" not in log.out + log.err + told


def test_an_answer_that_is_stopped_ends_and_the_next_question_is_answered(session):
    session.asks(
        Question(number=1, prompt=PROMPT, tokens_max=TOKENS_MAX, temperature=2.0),
        Question(number=2, prompt=PROMPT, tokens_max=4),
        stops=[1],
    )

    session.serves()

    whys = {one.why for one in session.said[1].values()}
    assert whys <= {"stopped", "ended", "cut"}
    assert all(one.is_over for one in session.said[2].values())


def test_it_ends_by_itself_when_its_time_is_over(session):
    assert session.serves() == 0

    warnings = [one.fields["code"] for one in session.run.events if one.kind == "warning"]
    assert warnings == ["hours_over"]


def test_it_ends_by_itself_when_nobody_asks(session, monkeypatch):
    monkeypatch.setattr(train, "LEAVE_EARLY_S", -10_000)
    # Each time that somebody looks at this clock, seven seconds have passed.
    passing = count(0, 7)
    monkeypatch.setattr(train.time, "monotonic", lambda: float(next(passing)))

    assert session.serves() == 0

    warnings = [one.fields["code"] for one in session.run.events if one.kind == "warning"]
    assert warnings == ["idle"]


def test_lines_that_are_none_are_passed_over(session):
    path = session.run.folder / QUESTIONS
    path.write_text(
        '{"kind": "ask", "number": "1"}\nno line\n{"kind": "ask", "number": 10e9}\n'
    )
    session.asks(Question(number=1, prompt="Hallo", tokens_max=2))

    assert session.serves() == 0

    assert set(session.said) == {1}


def test_without_a_base_the_model_answers_alone(tmp_path, tuned, monkeypatch):
    session = Session(tmp_path / "session", {"model": tuned}, monkeypatch)
    session.asks(Question(number=1, prompt=PROMPT, tokens_max=2))

    assert session.serves() == 0

    assert set(session.said[1]) == {"model"}


def test_what_a_job_makes_up_is_no_more_than_bounded_words():
    lines = [
        {"kind": "piece", "number": 1, "side": "model", "kept": -5, "text": "a" * 60_000},
        {"kind": "piece", "number": 1, "side": "nobody", "text": "x"},
        {"kind": "piece", "number": 10**12, "side": "model", "text": "x"},
        {"kind": "over", "number": 1, "side": "model", "why": ["?"], "tokens": True},
        {"kind": "refused", "number": 2, "side": "base", "code": "%(x)99999999s", "why": 5},
    ]
    events = [
        Event(at=0.0, kind=one.pop("kind"), fields=one) for one in (dict(one) for one in lines)
    ]

    said = said_in(events)

    assert set(said) == {1, 2}
    assert len(said[1]["model"].text) == 40_000
    assert (said[1]["model"].why, said[1]["model"].tokens) == ("ended", 0)
    assert said[2]["base"].refusal.startswith("This model could not answer")
