"""Answers a dataset file by file; a file that is finished is never made again."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from itertools import islice
from pathlib import Path
from typing import cast

import torch

from fabriek_recipes.batch_predict.knobs import Knobs, question_files
from fabriek_recipes.conversations import Row
from fabriek_recipes.events import Json
from fabriek_recipes.rows import RowProblem, read_questions
from fabriek_recipes.run_folder import write_whole
from fabriek_recipes.training import refusals, saving
from fabriek_recipes.training.answering import Draw, answered
from fabriek_recipes.training.base import Base, load
from fabriek_recipes.training.drawing import Lots
from fabriek_recipes.training.encoding import check_fits, context_of, dress, question
from fabriek_recipes.training.process import Job
from fabriek_recipes.training.run import Clock, choose_device, fingerprint, refuse
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


def train(job: Job[Knobs]) -> None:
    """Run the recipe in the job's folder, from the first file that is not finished."""
    clock = Clock()
    device = choose_device(job)
    job.events.stage(_("Reading the rows"))
    files = question_files(job.input("dataset"))
    total = _counted(files)
    job.events.stage(_("Loading the model"))
    base = load(job.input("model"), device, frozen=True)
    template = dress(base.tokenizer)
    place = job.checkpoints / f"answers-{fingerprint(job)[:16]}"
    job.group.once(lambda: place.mkdir(exist_ok=True))
    job.events.stage(_("Writing answers"))
    for number, rows in enumerate(_shards(files, job.knobs.rows_per_file)):
        path = place / f"part-{number:05d}.json"
        if not job.group.once(path.is_file):
            _answer(job, base, rows, path)
        done = min(total, (number + 1) * job.knobs.rows_per_file)
        job.events.progress(done, total, "rows")
    facts: dict[str, Json] = {
        "device": device.type,
        "chat_template_sha256": template,
        "context_tokens": context_of(base),
        "seconds": clock.seconds(),
    }
    job.group.once(lambda: _leave(job, place, facts))


def _counted(files: Sequence[Path]) -> int:
    """Count the rows, and refuse a bad one before an hour has gone into the others."""
    total = 0
    for path in files:
        for item in read_questions(path):
            if isinstance(item, RowProblem):
                raise refuse(item, path.name)
            total += 1
    if not total:
        raise Failed("no_rows", _("The dataset has no .jsonl file; add one with your rows."))
    return total


def _shards(files: Sequence[Path], size: int) -> Iterator[list[tuple[str, Row]]]:
    rows = (
        (path.name, item)
        for path in files
        for item in read_questions(path)
        if not isinstance(item, RowProblem)
    )
    while part := list(islice(rows, size)):
        yield part


def _answer(job: Job[Knobs], base: Base, rows: Sequence[tuple[str, Row]], path: Path) -> None:
    asked = [Asked(file, row, question(row, base.tokenizer)) for file, row in rows]
    check_fits(base, [torch.tensor(each.ids) for each in asked])
    most = context_of(base)
    fits = [each for each in asked if len(each.ids) < most]
    written = answered(
        job,
        base,
        [each.ids for each in fits],
        tokens_max=job.knobs.answer_tokens_max,
        draw=_lots(job, fits),
    )
    texts = [
        str(base.tokenizer.decode(ids, skip_special_tokens=True)).strip()
        for ids, _is_cut in written
    ]
    rows_told: list[Json] = [
        _told(each, text, is_cut, len(ids))
        for each, text, (ids, is_cut) in zip(fits, texts, written, strict=True)
    ]
    left: list[Json] = [
        {"file": each.file, "line": each.row.line, "tokens": len(each.ids)}
        for each in asked
        if len(each.ids) >= most
    ]
    text = json.dumps({"answers": rows_told, "left_out": left}, ensure_ascii=False)
    job.group.once(lambda: write_whole(path, text))
    if path.name == "part-00000.json":
        for each, text in list(zip(fits, texts, strict=True))[:SAMPLES_SHOWN]:
            job.events.sample(each.row.completion, "", text, "after")


def _lots(job: Job[Knobs], asked: Sequence[Asked]) -> Draw | None:
    """Give each row a lot that depends on the seed and on its own place alone."""
    if job.knobs.writing == "likeliest":
        return None
    names = [f"{job.manifest.seed}:{each.name}" for each in asked]
    seeds = [int.from_bytes(hashlib.sha256(name.encode()).digest()[:7]) for name in names]
    return lambda places: Lots(
        [seeds[place] for place in places], temperature=job.knobs.temperature
    )


def _told(asked: Asked, text: str, is_cut: bool, tokens: int) -> Json:
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


def _leave(job: Job[Knobs], place: Path, facts: dict[str, Json]) -> None:
    job.events.stage(_("Saving"))
    counts = {"rows_answered": 0, "rows_left_out": 0, "answers_cut_off": 0, "tokens_written": 0}
    lines_left: list[int] = []

    def write(aside: Path) -> None:
        for path in sorted(place.glob("part-*.json")):
            part = json.loads(path.read_bytes())
            _write_lines(aside / f"{path.stem}.jsonl", part["answers"])
            counts["rows_answered"] += len(part["answers"])
            counts["rows_left_out"] += len(part["left_out"])
            counts["answers_cut_off"] += sum(row["is_cut_off"] for row in part["answers"])
            counts["tokens_written"] += sum(row["tokens"] for row in part["answers"])
            lines_left.extend(row["line"] for row in part["left_out"])

    saving.whole(job.outputs / ANSWERS, write)
    if lines_left:
        most = cast("int", facts["context_tokens"])
        job.events.warning("rows_left_out", refusals.too_long(lines_left, most))
    job.events.result({})
    told: dict[str, Json] = {"scores": {}, **counts, **facts}
    saving.report(job.folder, told)


def _write_lines(path: Path, rows: Sequence[Json]) -> None:
    lines = [json.dumps(row, ensure_ascii=False) for row in rows]
    path.write_text("".join(f"{line}\n" for line in lines), encoding="utf-8")
