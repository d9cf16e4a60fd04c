"""Answers a dataset part by part; a part that is finished is never made again.

Several processes each take a part as long as there are enough of them, and share the last ones.
A part is answered in the same batches either way, so that each answer is the same to the bit,
by however many processes a run is begun and gone on with.
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from itertools import islice
from pathlib import Path
from typing import cast

import torch

from fabriek_recipes.batch_predict.knobs import Knobs, question_files
from fabriek_recipes.conversations import Row
from fabriek_recipes.events import Json
from fabriek_recipes.rows import NO_ROWS, RowProblem, read_questions
from fabriek_recipes.training import refusals, saving
from fabriek_recipes.training.answering import Draw, Writing, answered
from fabriek_recipes.training.base import Base, load
from fabriek_recipes.training.drawing import Lots
from fabriek_recipes.training.encoding import check_fits, context_of, dress, question
from fabriek_recipes.training.group import ALONE, Group
from fabriek_recipes.training.parts import Parts
from fabriek_recipes.training.process import Job
from fabriek_recipes.training.run import Clock, choose_device, refuse
from fabriek_recipes.words import Failed, _

ANSWERS = "answers"
SAMPLES_SHOWN = 5


@dataclass(frozen=True, slots=True, eq=False)
class Asked:
    """A row, the file it stands in, and its tokens."""

    file: str
    row: Row
    ids: list[int]

    @property
    def name(self) -> str:
        """What tells it from all others: its lot depends on it alone."""
        return f"{self.file}:{self.row.line}"


@dataclass(frozen=True, slots=True, eq=False)
class Shard:
    """Some rows behind each other, and the part their answers make."""

    number: int
    rows: list[tuple[str, Row]]

    @property
    def name(self) -> str:
        """How the part is called."""
        return f"part-{self.number:05d}"


def train(job: Job[Knobs]) -> None:
    """Run the recipe in the job's folder, from the first part that is not finished."""
    clock = Clock()
    device = choose_device(job)
    job.events.stage(_("Reading the rows"))
    files = question_files(job.input("dataset"))
    total = _counted(files)
    job.events.stage(_("Loading the model"))
    base = load(job.input("model"), device, frozen=True)
    template = dress(base.tokenizer)
    parts = Parts(job)
    job.events.stage(_("Writing answers"))
    _answer(job, base, parts, files, total)
    facts: dict[str, Json] = {
        "device": device.type,
        "chat_template_sha256": template,
        "context_tokens": context_of(base),
        "seconds": clock.seconds(),
    }
    job.group.once(lambda: _leave(job, parts, total, facts))


def _counted(files: Sequence[Path]) -> int:
    """Count the rows, and refuse a bad one before an hour has gone into the others."""
    total = 0
    for path in files:
        for item in read_questions(path):
            if isinstance(item, RowProblem):
                raise refuse(item, path.name)
            total += 1
    if not total:
        raise Failed("no_rows", NO_ROWS)
    return total


def _answer(
    job: Job[Knobs], base: Base, parts: Parts, files: Sequence[Path], total: int
) -> None:
    finished, size = parts.names(), job.knobs.rows_per_file
    waiting = (shard for shard in _shards(files, size) if shard.name not in finished)
    together = job.group.seat.size
    while some := list(islice(waiting, together)):
        for shard, told in zip(some, _told_of(job, base, some), strict=True):
            parts.write(shard.name, told)
            if shard.number == 0:
                _show(job, told)
        job.events.progress(min(total, (some[-1].number + 1) * size), total, "rows")


def _shards(files: Sequence[Path], size: int) -> Iterator[Shard]:
    rows = (
        (path.name, item)
        for path in files
        for item in read_questions(path)
        if not isinstance(item, RowProblem)
    )
    number = 0
    while part := list(islice(rows, size)):
        yield Shard(number, part)
        number += 1


def _told_of(job: Job[Knobs], base: Base, some: Sequence[Shard]) -> list[dict[str, Json]]:
    """Answer a part each, or each part together where there are fewer than processes."""
    if len(some) < job.group.seat.size:
        return [_told(job, base, shard, job.group) for shard in some]
    return job.group.share(len(some), lambda place: _told(job, base, some[place], ALONE))


def _told(job: Job[Knobs], base: Base, shard: Shard, group: Group) -> dict[str, Json]:
    asked = [Asked(file, row, question(row, base.tokenizer)) for file, row in shard.rows]
    check_fits(base, [torch.tensor(each.ids) for each in asked])
    most = context_of(base)
    fits = [each for each in asked if len(each.ids) < most]
    knobs = job.knobs
    writing = Writing(
        tokens_max=knobs.answer_tokens_max,
        until=(knobs.stop_at,) if knobs.stop_at else (),
        draw=_lots(job, fits),
        group=group,
    )
    written = answered(job, base, [each.ids for each in fits], writing)
    answers: list[Json] = [
        _row(each, text.strip(), is_cut, len(ids))
        for each, (text, ids, is_cut) in zip(fits, written, strict=True)
    ]
    left: list[Json] = [
        {"file": each.file, "line": each.row.line, "tokens": len(each.ids)}
        for each in asked
        if len(each.ids) >= most
    ]
    return {"answers": answers, "left_out": left}


def _lots(job: Job[Knobs], asked: Sequence[Asked]) -> Draw | None:
    """Give each row a lot that depends on the seed and on its own place alone."""
    if job.knobs.writing == "likeliest":
        return None
    names = [f"{job.manifest.seed}:{each.name}" for each in asked]
    seeds = [int.from_bytes(hashlib.sha256(name.encode()).digest()[:7]) for name in names]
    return lambda places: Lots(
        [seeds[place] for place in places], temperature=job.knobs.temperature
    )


def _row(asked: Asked, text: str, is_cut: bool, tokens: int) -> dict[str, Json]:
    """Write an answered row so that it can be learned from, once somebody has looked at it."""
    said: list[Json] = [dict(message.told()) for message in asked.row.messages]
    row: dict[str, Json] = {
        "messages": [*said, {"role": "assistant", "content": text}],
        "file": asked.file,
        "line": asked.row.line,
        "is_cut_off": is_cut,
        "tokens": tokens,
    }
    if asked.row.tools:
        row["tools"] = json.loads(asked.row.tools)
    return row


def _show(job: Job[Knobs], told: dict[str, Json]) -> None:
    for row in cast("list[dict[str, Json]]", told["answers"])[:SAMPLES_SHOWN]:
        *before, answer = cast("list[dict[str, Json]]", row["messages"])
        asked = "\n".join(str(message.get("content") or "") for message in before)
        job.events.sample(asked, "", str(answer["content"]), "after")


@dataclass(slots=True)
class _Counts:
    """What is told of all answers together."""

    rows_answered: int = 0
    answers_cut_off: int = 0
    answers_empty: int = 0
    tokens_written: int = 0
    lines_left: list[int] = field(default_factory=list)

    def add(self, rows: Sequence[dict[str, Json]], left: Sequence[dict[str, Json]]) -> None:
        self.rows_answered += len(rows)
        self.answers_cut_off += sum(bool(row["is_cut_off"]) for row in rows)
        self.answers_empty += sum(not _answer_in(row) for row in rows)
        self.tokens_written += sum(cast("int", row["tokens"]) for row in rows)
        self.lines_left += [cast("int", row["line"]) for row in left]


def _answer_in(row: dict[str, Json]) -> str:
    return str(cast("list[dict[str, Json]]", row["messages"])[-1]["content"])


def _leave(job: Job[Knobs], parts: Parts, total: int, facts: dict[str, Json]) -> None:
    job.events.stage(_("Saving"))
    counts = _Counts()
    files = -(-total // job.knobs.rows_per_file)

    def write(aside: Path) -> None:
        for name in (f"part-{number:05d}" for number in range(files)):
            part = cast("dict[str, list[dict[str, Json]]]", parts.taken(name))
            _write_lines(aside / f"{name}.jsonl", part["answers"])
            counts.add(part["answers"], part["left_out"])

    saving.whole(job.outputs / ANSWERS, write)
    if counts.lines_left:
        most = cast("int", facts["context_tokens"])
        job.events.warning("rows_left_out", refusals.too_long(counts.lines_left, most))
    job.events.result({})
    told: dict[str, Json] = {
        "scores": {},
        "rows_answered": counts.rows_answered,
        "rows_left_out": len(counts.lines_left),
        "answers_cut_off": counts.answers_cut_off,
        "answers_empty": counts.answers_empty,
        "tokens_written": counts.tokens_written,
    }
    saving.report(job.folder, told | facts)


def _write_lines(path: Path, rows: Sequence[Json]) -> None:
    lines = [json.dumps(row, ensure_ascii=False) for row in rows]
    path.write_text("".join(f"{line}\n" for line in lines), encoding="utf-8")
