"""Which texts are learned from and which are scored on, and the order of their labels."""

from __future__ import annotations

import hashlib
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

from fabriek_recipes import split_column, tables
from fabriek_recipes.classify_text.knobs import Knobs
from fabriek_recipes.classify_text.rows import Text, label_problems, read
from fabriek_recipes.row_problems import RowProblem
from fabriek_recipes.split_column import Parted
from fabriek_recipes.training.held_out import Halves, apart, halved
from fabriek_recipes.training.process import Job
from fabriek_recipes.training.run import refuse
from fabriek_recipes.words import Failed, _, counted

HELD_OUT_MAX = 20_000


@dataclass(frozen=True, slots=True, kw_only=True)
class Rows:
    """Texts to learn from and to score on, and the labels in the order of their numbers."""

    train: tuple[Text, ...]
    apart: Halves[Text]
    labels: tuple[str, ...]

    @property
    def held_out(self) -> Sequence[Text]:
        """Those to score on."""
        return self.apart.scored

    def numbers(self, texts: Sequence[Text]) -> list[int]:
        """Give the labels of texts as numbers."""
        places = {label: place for place, label in enumerate(self.labels)}
        return [places[text.label] for text in texts]


def divided(job: Job[Knobs]) -> Rows:
    """Read all texts and keep some apart. Raises: Failed, with what stands in the way."""
    files = tables.files_of(job.input("dataset"))
    found = _read(job, files.train)
    if not found:
        raise Failed("no_rows", tables.no_table())
    for problem in label_problems({text.label for text in found}):
        raise Failed("bad_labels", problem.msgid, **dict(problem.values))
    held_out = _read(job, files.held_out)
    hashes = [_digest(text) for text in found]
    if files.held_out:
        return _known(job, found, _unseen(job, held_out, set(hashes)))
    if by := split_column.parted(_cells(files.train)):
        return _as_said(job, by, files.train)
    chosen = apart(hashes, percent=job.knobs.held_out_percent, most=HELD_OUT_MAX)
    pairs = list(zip(found, hashes, strict=True))
    return _known(
        job,
        [text for text, name in pairs if name not in chosen],
        [text for text, name in pairs if name in chosen],
    )


def _as_said(job: Job[Knobs], by: Parted, files: Sequence[Path]) -> Rows:
    """Keep those apart that a column says are no rows to learn from."""
    job.events.warning("split_column", by.sentence)
    placed = [
        (text, by.is_apart((path, text.line))) for path in files for text in _read(job, [path])
    ]
    learn = [text for text, is_apart in placed if not is_apart]
    held_out = [text for text, is_apart in placed if is_apart]
    return _known(job, learn, _unseen(job, held_out, {_digest(text) for text in learn}))


def _cells(files: Sequence[Path]) -> Iterator[tuple[tuple[Path, int], dict[str, str | None]]]:
    """Give all cells of each row; what is wrong with one is told when it is read as a text."""
    for path in files:
        for item in tables.rows(path, tables.as_it_is):
            if not isinstance(item, RowProblem):
                line, names, cells = item
                yield (path, line), dict(zip(names, cells, strict=True))


def _digest(text: Text) -> str:
    return hashlib.sha256(" ".join(text.text.split()).encode()).hexdigest()


def _unseen(job: Job[Knobs], held_out: Sequence[Text], seen: set[str]) -> list[Text]:
    """Score no text that is learned from: of it the model need understand nothing."""
    found = [text for text in held_out if _digest(text) not in seen]
    if left := len(held_out) - len(found):
        said = counted(
            _(
                "%(count)s of %(rows)s texts kept apart is also among those learned from: not "
                "scored."
            ),
            _(
                "%(count)s of %(rows)s texts kept apart are also among those learned from: not "
                "scored."
            ),
            count=left,
            rows=len(held_out),
        )
        job.events.warning("same_rows", said)
    if held_out and not found:
        text_ = _("Each text kept apart is also among those learned from; take them out there.")
        raise Failed("same_rows", text_)
    return found


def _known(job: Job[Knobs], learn: Sequence[Text], held_out: Sequence[Text]) -> Rows:
    """Order labels by frequency; rows apart with a label nobody learns from tell nothing."""
    counts: dict[str, int] = {}
    for text in learn:
        counts[text.label] = counts.get(text.label, 0) + 1
    labels = sorted(counts, key=lambda label: (-counts[label], label))
    for problem in label_problems(set(labels)):
        raise Failed("bad_labels", problem.msgid, **dict(problem.values))
    scored = [text for text in held_out if text.label in counts]
    if not scored:
        raise Failed(
            "no_held_out",
            _("There are too few rows to keep some apart for scoring; add rows."),
        )
    if left := len(held_out) - len(scored):
        said = counted(
            _("%(count)s row kept apart has a label that no other row has: not scored."),
            _("%(count)s rows kept apart have a label that no other row has: not scored."),
            count=left,
        )
        job.events.warning("rows_left_out", said)
    names, choosing = [_digest(text) for text in scored], job.knobs.stop_after_looks > 0
    halves = halved(scored, names, choosing=choosing)
    return Rows(train=tuple(learn), apart=halves, labels=tuple(labels))


def _read(job: Job[Knobs], files: Sequence[Path]) -> list[Text]:
    found = []
    for path in files:
        for item in read(path, text=job.knobs.text_column, label=job.knobs.label_column):
            if isinstance(item, RowProblem):
                raise refuse(item, path.name)
            found.append(item)
    return found
