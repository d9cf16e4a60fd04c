"""What can be set when scoring, what it costs, and whether the inputs will do."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from math import ceil
from pathlib import Path
from typing import Literal

from pydantic import BaseModel, ConfigDict, Field

from fabriek_recipes import facts as counting
from fabriek_recipes import memory
from fabriek_recipes.cost import Work, price
from fabriek_recipes.evaluate import sizes
from fabriek_recipes.evaluate.task_files import task_files
from fabriek_recipes.evaluate.tasks import problems as task_problems
from fabriek_recipes.facts import model_problems, parameters_of
from fabriek_recipes.finetune_lm.knobs import BYTES_PER_TOKEN
from fabriek_recipes.kinds import Estimate, Facts, Input, Recipe
from fabriek_recipes.knobs import AnswerTokensMax, RowsScoredMax
from fabriek_recipes.row_problems import of_files
from fabriek_recipes.rows import PROBLEMS_MAX, check, files_of
from fabriek_recipes.words import Sentence, _

MODELS = ("model", "model_b")

Asking = Literal["as_is", "chat"]
ASKINGS: dict[str, str] = {
    "as_is": _("As text to go on from"),
    "chat": _("As a question in a conversation"),
}


class Knobs(BaseModel):
    """Settings of a run that scores."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    # More than 20,000 rows make no interval that anybody could use narrower.
    rows_max: RowsScoredMax = Field(
        default=1_000,
        le=20_000,
        description=_("Of more rows, so many are drawn by lot; the seed decides which."),
        json_schema_extra={"group": "basic"},
    )
    asking: Asking = Field(
        default="as_is",
        title=_("How tasks ask"),
        description=_(
            "A base model goes on from a text; a model that was taught to answer wants a "
            "question. Rows with messages are always asked as a conversation."
        ),
        json_schema_extra={"group": "basic", "labels": {**ASKINGS}},
    )
    answer_tokens_max: AnswerTokensMax = 256


def count(inputs: Mapping[str, Path], base: Facts) -> Facts:
    """Count the rows that are asked and the parameters of all models."""
    dataset = inputs.get("dataset")
    models = [inputs[name] for name in MODELS if name in inputs]
    parameters = sum(parameters_of(model) for model in models)
    tasks = task_files(dataset) if dataset else []
    rows, size, longest = (
        sizes.of_tasks(tasks, dataset, base) if dataset and tasks else _of_rows(dataset, base)
    )
    return replace(
        base,
        rows=rows,
        text_bytes=size,
        longest_row_bytes=longest,
        base_parameters=parameters,
        files=len(tasks),
    )


def _of_rows(dataset: Path | None, base: Facts) -> tuple[int, int, int]:
    places = (files_of(dataset).held_out or (dataset,)) if dataset else ()
    parts = [counting.look({"dataset": place}, base) for place in places]
    longest = max((part.longest_row_bytes for part in parts), default=0)
    return sum(part.rows for part in parts), sum(part.text_bytes for part in parts), longest


def estimate(knobs: Knobs, facts: Facts) -> Estimate:
    """Price a run: each row is read, and an answer written to it token by token."""
    row_tokens = facts.text_bytes / BYTES_PER_TOKEN / max(1, facts.rows)
    # Of each task so many at most.
    rows = min(facts.rows, knobs.rows_max * max(1, facts.files))
    read = ceil(rows * 2 * row_tokens)
    written = ceil(rows * min(knobs.answer_tokens_max, row_tokens + 8))
    work = Work(
        tokens=0,
        flop_per_token=0,
        read_tokens=read,
        written_tokens=written,
        answers=rows,
        parameters=facts.base_parameters,
        memory_bytes=memory.to_answer(facts),
        rows_per_step=max(1, rows),
    )
    found = price(work, facts)
    said = Sentence(
        _("About %(tokens)s tokens of %(rows)s rows are read and written; nothing is learned."),
        tokens=read + written,
        rows=rows,
    )
    return replace(found, why=(said, *found.why[1:]))


def checks(inputs: dict[str, Path]) -> tuple[Sentence, ...]:
    """Say what is wrong with the rows, the tasks or the models before anything is queued."""
    found: list[Sentence] = []
    if dataset := inputs.get("dataset"):
        found += _row_problems(dataset)
    for name in MODELS:
        if model := inputs.get(name):
            found += model_problems(model)
    return tuple(found[:PROBLEMS_MAX])


def _row_problems(dataset: Path) -> list[Sentence]:
    """Look at the tasks where there are some: their rows have fields of their own."""
    if task_files(dataset):
        return list(task_problems(dataset))
    contents = files_of(dataset)
    if not contents.train:
        text = _("The dataset has no file with rows and no task; add a .jsonl, .csv or .json.")
        return [Sentence(text)]
    scored = contents.held_out or contents.train
    return of_files(((path, check(path)) for path in scored), several=len(scored) > 1)


RECIPE = Recipe(
    name="evaluate",
    title=_("Score a language model"),
    summary=_(
        "Asks one or two language models the same questions, and tells how good their answers "
        "are, how sure that is, and where they go wrong. No model is made."
    ),
    when_to_use=_(
        "Before you choose a base model, before a model goes into use, or to compare two: on "
        "rows of your own, or on tasks in the form of lm-eval."
    ),
    knobs=Knobs,
    inputs=(
        Input(
            name="dataset",
            kind="dataset",
            title=_("Questions"),
            help=_(
                "Rows with prompt and completion or messages in .jsonl, .csv or .json, or "
                "tasks: a .yaml file in the form of lm-eval with its rows beside it."
            ),
        ),
        Input(
            name="model",
            kind="model",
            title=_("Model"),
            help=_("The model to score, in Hugging Face format with safetensors."),
        ),
        Input(
            name="model_b",
            kind="model",
            title=_("Second model"),
            help=_("Another model to compare it with; leave it empty to score one."),
            required=False,
        ),
    ),
    estimate=estimate,
    checks=checks,
    count=count,
    keeps_rows=True,
)
