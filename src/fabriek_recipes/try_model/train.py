"""Answers what one person asks, until they stop, ask nothing for a while, or time is over."""

from __future__ import annotations

import time
from collections.abc import Iterator
from contextlib import suppress
from dataclasses import dataclass, field, replace

import torch
from transformers import AutoTokenizer

from fabriek_recipes.conversations import Message
from fabriek_recipes.events import read_events
from fabriek_recipes.training import switched
from fabriek_recipes.training.base import Base, load
from fabriek_recipes.training.encoding import context_of
from fabriek_recipes.training.process import Job
from fabriek_recipes.training.run import choose_device
from fabriek_recipes.training.switched import Switch
from fabriek_recipes.training.writing import Growing, Manner, asked, written
from fabriek_recipes.try_model.knobs import READY, Knobs
from fabriek_recipes.try_model.lines import (
    ANSWERS,
    CUT,
    ENDED,
    FULL,
    QUESTIONS,
    STOPPED,
    Answers,
    Asked,
    Question,
    Said,
    Side,
    conversation,
    said_in,
)
from fabriek_recipes.words import Failed, Sentence, _

LOOK_EVERY_S = 0.1
# As often as a page looks, and seldom enough that writing it down takes no time of the answer.
TELL_EVERY_S = 0.25
# Longer than it takes to begin, which the engine counts too, and to end in order.
LEAVE_EARLY_S = 30
ADAPTER = "adapter"
# Some tokens are a hundred spaces: a line of our own stays within what is read at once.
PIECE_CHARACTERS_MAX = 12_000


@dataclass(frozen=True, slots=True, eq=False)
class Speaker:
    """One side of the page: a model, or a base whose addition is turned on or off."""

    side: Side
    base: Base
    switch: Switch | None = None

    def turn(self) -> None:
        """Let what is computed next be this one's."""
        if self.switch:
            self.switch.turn(on=self.side == "model")


def train(job: Job[Knobs]) -> None:
    """Serve in the job's folder; nothing of what was asked outlasts it."""
    began = time.monotonic()
    speakers = loaded(job, choose_device(job))
    path = job.folder / ANSWERS
    try:
        answers = Answers(path)
        with answers:
            session = Session(job, speakers, answers, began)
            job.events.stage(READY)
            session.serve()
    finally:
        path.unlink(missing_ok=True)


def loaded(job: Job[Knobs], device: torch.device) -> list[Speaker]:
    """Load the model, and its base where there is one: once where it is base and addition."""
    job.events.stage(_("Loading the model"))
    folder = job.input("model")
    if "base" not in job.manifest.inputs:
        return [Speaker("model", load(folder, device, frozen=True))]
    base = load(job.input("base"), device, frozen=True)
    job.events.progress(1, 2, "models")
    job.stop.check()
    if switch := switched.attach(base.model, folder / ADAPTER):
        tokenizer = AutoTokenizer.from_pretrained(folder, local_files_only=True)
        tuned = replace(base, tokenizer=tokenizer)
        return [Speaker("base", base, switch), Speaker("model", tuned, switch)]
    return [Speaker("base", base), Speaker("model", load(folder, device, frozen=True))]


class Session:
    """Waits for questions and answers each, all sides in turn, token by token."""

    def __init__(
        self, job: Job[Knobs], speakers: list[Speaker], answers: Answers, began: float
    ) -> None:
        """`began`: by time.monotonic."""
        self._job, self._speakers, self._answers = job, speakers, answers
        self._asked = Asked()
        self._offset = 0
        # What each side said to each question, which a conversation goes on from.
        self._told = self._told_before()
        self._done = {
            number
            for number, told in self._told.items()
            if all(one.side in told and told[one.side].is_over for one in speakers)
        }
        self._worked_at = time.monotonic()
        self._ends_at = began + max(0, job.manifest.limits.timeout_s - LEAVE_EARLY_S)

    def serve(self) -> None:
        """Go on until nobody asks any more, or the time is over. Raises: Stopped."""
        while not self._is_over():
            self._job.stop.check()
            self._look()
            todo = [one for one in self._asked.questions if one.number not in self._done]
            for question in todo:
                self._answer(question)
                self._done.add(question.number)
                self._worked_at = time.monotonic()
            if not todo:
                time.sleep(LOOK_EVERY_S)

    def _answer(self, question: Question) -> None:
        telling = [
            Telling(each, question, self._answers, self._messages(question, each.side))
            for each in self._speakers
        ]
        looked_at = time.monotonic()
        while live := [one for one in telling if not one.said.is_over]:
            for one in live:
                one.step()
            if time.monotonic() - looked_at > LOOK_EVERY_S:
                looked_at = time.monotonic()
                self._job.stop.check()
                self._look()
                if question.number in self._asked.stopped or looked_at > self._ends_at:
                    for one in live:
                        one.stop()
        self._told[question.number] = {one.speaker.side: one.said for one in telling}

    def _messages(self, question: Question, side: Side) -> list[Message]:
        said = {
            number: told[side].text
            for number, told in self._told.items()
            if side in told and told[side].refusal is None
        }
        before = conversation(question, self._asked.questions, said)
        return [Message(*one) for one in before]

    def _look(self) -> None:
        """Take in new lines."""
        path = self._job.folder / QUESTIONS
        events, self._offset = read_events(path, self._offset)
        self._asked.take(events)

    def _told_before(self) -> dict[int, dict[Side, Said]]:
        """Read what was said before this process was put in the place of an earlier one."""
        told, at = [], 0
        while (found := read_events(self._job.folder / ANSWERS, at))[1] != at:
            told += found[0]
            at = found[1]
        return said_in(told)

    def _is_over(self) -> bool:
        now = time.monotonic()
        if now >= self._ends_at:
            text = _("It stopped by itself: its time was over.")
            self._job.events.warning("hours_over", Sentence(text))
            return True
        idle_s = self._job.knobs.idle_minutes * 60
        if now - self._worked_at > idle_s:
            text = _(
                "It stopped by itself: nothing was asked any more (limit: %(minutes)s min)."
            )
            said = Sentence(text, minutes=self._job.knobs.idle_minutes)
            self._job.events.warning("idle", said)
            return True
        return False


@dataclass(slots=True, eq=False)
class Telling:
    """One side's answer to one question, while it is written."""

    speaker: Speaker
    question: Question
    answers: Answers
    messages: list[Message]
    said: Said = field(default_factory=Said)
    _growing: Growing | None = None
    _tokens: Iterator[int] | None = None
    _most: int = 0
    _told_at: float = 0.0

    def step(self) -> None:
        """Write one token; what goes wrong with one answer is no end of the session."""
        began = time.perf_counter()
        try:
            self._write()
        except Failed as why:
            self._refuse(why.code, str(why.sentence.values.get("why", "")))
        except torch.OutOfMemoryError:
            self._refuse("no_memory")
        # Also a bug of a model's own code in the library: its name is told, no word of what was
        # asked, which the message of an error may quote.
        except Exception as why:  # noqa: BLE001
            self._refuse("broken", type(why).__name__)
        self.said.seconds += time.perf_counter() - began
        if self.said.why:
            self._tell(is_whole=True)
            self.answers.over(self.question.number, self.speaker.side, self.said)
        elif not self.said.is_over and time.monotonic() - self._told_at > TELL_EVERY_S:
            self._tell()

    def stop(self) -> None:
        """Write no more of it."""
        if not self.said.is_over:
            self.said.why = STOPPED
            self._tell(is_whole=True)
            self.answers.over(self.question.number, self.speaker.side, self.said)

    def _write(self) -> None:
        if self._tokens is None or self._growing is None:
            self._begin()
            return
        self.speaker.turn()
        token = next(self._tokens, None)
        if token is None:
            self.said.why = self._end()
            return
        self._growing.ids.append(token)
        self.said.tokens += 1

    def _end(self) -> str:
        if self.said.tokens < self._most:
            return ENDED
        return CUT if self._most == self.question.tokens_max else FULL

    def _begin(self) -> None:
        """Turn the question into tokens. Raises: Failed."""
        base, question = self.speaker.base, self.question
        ids = asked(base, self.messages)
        self.said.prompt_tokens = len(ids)
        if (room := context_of(base) - len(ids)) < 1:
            raise Failed("talk_too_long" if question.goes_on else "too_long", "")
        self._most = min(question.tokens_max, room)
        manner = Manner(
            temperature=question.temperature, tokens_max=self._most, seed=question.seed
        )
        self._growing = Growing(base.tokenizer)
        self._tokens = written(base.model, ids, stops=base.stops, manner=manner)

    def _tell(self, *, is_whole: bool = False) -> None:
        self._told_at = time.monotonic()
        if self._growing is None:
            return
        kept, text = self._growing.news(is_whole=is_whole)
        self.said.text = self._growing.text
        if text or is_whole:
            number, side = self.question.number, self.speaker.side
            text = text[:PIECE_CHARACTERS_MAX]
            self.answers.piece(number, side, kept=kept, text=text, said=self.said)

    def _refuse(self, code: str, why: str = "") -> None:
        self._tokens = None
        with suppress(ValueError):  # nothing that a name may hold makes a line too long
            self.answers.refused(
                self.question.number,
                self.speaker.side,
                code,
                tokens=self.said.prompt_tokens,
                most=context_of(self.speaker.base),
                why=why,
            )
        self.said.refusal = Sentence("%(code)s", code=code)
