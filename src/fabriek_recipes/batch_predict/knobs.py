"""What can be set when answering a whole dataset, what it costs, and what the inputs need."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace
from math import ceil
from pathlib import Path
from typing import Literal

from pydantic import BaseModel, ConfigDict, Field

from fabriek_recipes import memory
from fabriek_recipes.cost import Work, price
from fabriek_recipes.facts import model_problems
from fabriek_recipes.finetune_lm.knobs import BYTES_PER_TOKEN
from fabriek_recipes.kinds import Estimate, Facts, Input, Recipe
from fabriek_recipes.knobs import AnswerTokensMax
from fabriek_recipes.row_problems import RowProblem, of_files
from fabriek_recipes.rows import NO_ROWS, PROBLEMS_MAX, files_of, read_questions
from fabriek_recipes.words import Sentence, _

Writing = Literal["likeliest", "drawn"]
WRITINGS: dict[str, str] = {
    "likeliest": _("The likeliest word each time"),
    "drawn": _("Drawn by lot"),
}


class Knobs(BaseModel):
    """Settings of a run that answers."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    writing: Writing = Field(
        default="likeliest",
        title=_("How it writes"),
        description=_(
            "The likeliest word gives the same answer each time. Drawing by lot gives more "
            "different answers; with the same seed they are the same again."
        ),
        json_schema_extra={"group": "basic", "labels": {**WRITINGS}},
    )
    # Nearly 0 is the likeliest word; above 2 there is no sentence left.
    temperature: float = Field(
        default=0.7,
        ge=0.05,
        le=2.0,
        title=_("Boldness"),
        description=_("When drawing by lot: higher lets less likely words through."),
        json_schema_extra={"group": "basic"},
    )
    answer_tokens_max: AnswerTokensMax = Field(
        default=256,
        description=_("Where an answer is cut off when the model does not stop itself."),
        json_schema_extra={"group": "basic"},
    )
    stop_at: str = Field(
        default="",
        max_length=200,
        title=_("Stop at"),
        description=_(
            "An answer ends before this text, such as a word that begins the next question. "
            "Leave it empty when the model stops itself."
        ),
        json_schema_extra={"group": "advanced"},
    )
    # What is lost when a run is stopped is at most one file of each process.
    rows_per_file: int = Field(
        default=512,
        ge=1,
        le=50_000,
        title=_("Rows in a file"),
        description=_("A file that is finished is never made again when the run goes on."),
        json_schema_extra={"group": "advanced", "unit": "rows"},
    )


def estimate(knobs: Knobs, facts: Facts) -> Estimate:
    """Price a run: each row is read once, and an answer written token by token."""
    read = facts.text_bytes / BYTES_PER_TOKEN
    row_tokens = read / max(1, facts.rows)
    # Half of the longest answer, or as much as was asked: nobody knows before.
    written = facts.rows * min(
        knobs.answer_tokens_max, max(row_tokens, 0.5 * knobs.answer_tokens_max)
    )
    work = Work(
        tokens=0,
        flop_per_token=0,
        read_tokens=ceil(read),
        written_tokens=ceil(written),
        answers=facts.rows,
        parameters=facts.base_parameters,
        memory_bytes=memory.to_answer(facts),
        rows_per_step=max(1, min(facts.rows, knobs.rows_per_file)),
    )
    found = price(work, facts)
    said = Sentence(
        _("%(rows)s rows are read, and about %(tokens)s tokens of answers written."),
        rows=facts.rows,
        tokens=ceil(written),
    )
    return replace(found, why=(said, *found.why[1:]))


def checks(inputs: dict[str, Path]) -> tuple[Sentence, ...]:
    """Say what is wrong with the questions or the model before anything is queued."""
    problems: list[Sentence] = []
    if dataset := inputs.get("dataset"):
        paths = question_files(dataset)
        if not paths:
            problems.append(Sentence(NO_ROWS))
        told = ((path, _wrong(path)) for path in paths)
        problems += of_files(told, several=len(paths) > 1)
    if model := inputs.get("model"):
        problems += model_problems(model)
    return tuple(problems[:PROBLEMS_MAX])


def _wrong(path: Path) -> Iterator[RowProblem]:
    return (row for row in read_questions(path) if isinstance(row, RowProblem))


def question_files(dataset: Path) -> list[Path]:
    """Give every file with rows: none is kept apart here."""
    contents = files_of(dataset)
    return sorted({*contents.train, *contents.held_out})


RECIPE = Recipe(
    name="batch_predict",
    title=_("Let a language model answer a dataset"),
    summary=_(
        "Writes an answer to every row of a dataset, and leaves rows that can be read as a "
        "dataset again. No model is made."
    ),
    when_to_use=_(
        "You have many texts to sort, shorten, translate or answer at once, or want answers to "
        "choose between. For a few questions ask a model that is in service."
    ),
    knobs=Knobs,
    inputs=(
        Input(
            name="dataset",
            kind="dataset",
            title=_("Questions"),
            help=_(
                "A table of Excel (.csv) with a column “prompt” or “vraag”, a .json list, or "
                ".jsonl files: each line holds a prompt, or messages. An answer "
                "that ends a row is left out and written anew."
            ),
        ),
        Input(
            name="model",
            kind="model",
            title=_("Model"),
            help=_("The model that answers, in Hugging Face format with safetensors."),
        ),
    ),
    estimate=estimate,
    checks=checks,
    leaves_rows=True,
    keeps_rows=True,
)
