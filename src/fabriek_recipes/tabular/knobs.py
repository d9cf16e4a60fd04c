"""What can be set when learning from a table, and whether the table will do."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from pathlib import Path
from typing import Literal

from pydantic import BaseModel, ConfigDict, Field

from fabriek_recipes import number_words, tables
from fabriek_recipes.kinds import Facts, Input, Recipe
from fabriek_recipes.knobs import HeldOutPercent
from fabriek_recipes.tabular.estimating import estimate
from fabriek_recipes.words import Sentence, _

Task = Literal["auto", "classes", "number"]
TASKS: dict[str, str] = {
    "auto": _("Found from the column"),
    "classes": _("One of a few labels"),
    "number": _("A number"),
}
SplitBy = Literal["rows", "time", "group"]
SPLITS: dict[str, str] = {
    "rows": _("Rows by lot"),
    "time": _("The latest rows"),
    "group": _("Whole groups"),
}


class Knobs(BaseModel):
    """Settings of learning from a table."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    target: tables.ColumnName = Field(
        default="",
        title=_("Column to predict"),
        description=_("The name of the column, as it stands in the first line of the table."),
        json_schema_extra={"group": "basic", "needed": True},
    )
    task: Task = Field(
        default="auto",
        title=_("What it holds"),
        description=_(
            "A column of more than 20 different numbers is a number, any other one of a few "
            "labels; say it here where that is wrong."
        ),
        json_schema_extra={"group": "basic", "labels": {**TASKS}},
    )
    split_by: SplitBy = Field(
        default="rows",
        title=_("How rows are kept apart"),
        description=_(
            "The latest rows where you predict what comes; whole groups where rows of one "
            "customer or machine are alike. By lot, such a model looks better than it is. A "
            "column called “split” with train and test in it is gone by instead of the lot."
        ),
        json_schema_extra={"group": "basic", "labels": {**SPLITS}},
    )
    split_column: tables.ColumnName = Field(
        default="",
        title=_("Column of the time or group"),
        description=_("Only needed for the latest rows or whole groups."),
        json_schema_extra={"group": "basic"},
    )
    leave_out: str = Field(
        default="",
        max_length=2_000,
        title=_("Leave these columns out"),
        description=_(
            "Names with a comma between them: what you do not know yet at the moment you "
            "predict, or may not use."
        ),
        json_schema_extra={"group": "basic"},
    )
    unclear_numbers: number_words.UnclearNumbers = "ask"
    # Without any there is no score.
    held_out_percent: HeldOutPercent = Field(default=20, ge=5)
    # Below 0.005 thousands of rounds change little; 0.5 jumps over what is best.
    learning_rate: float = Field(
        default=0.05,
        ge=0.005,
        le=0.5,
        title=_("Learning rate"),
        description=_("How much each tree adds. Lower is slower and often a little better."),
        json_schema_extra={"group": "advanced"},
    )
    # More than 10,000 trees is no model that anybody wants to ask.
    rounds_max: int = Field(
        default=1_000,
        ge=10,
        le=10_000,
        title=_("Most trees"),
        description=_("It stops earlier when rows kept apart for this no longer gain."),
        json_schema_extra={"group": "advanced", "unit": "trees"},
    )
    # With fewer than 10 rounds of patience chance decides.
    patience: int = Field(
        default=50,
        ge=10,
        le=1_000,
        title=_("Patience"),
        description=_("How many trees in a row may bring no gain before it stops."),
        json_schema_extra={"group": "advanced", "unit": "trees"},
    )
    # Two leaves is one question; above 512 a tree learns rows by heart.
    leaves: int = Field(
        default=31,
        ge=2,
        le=512,
        title=_("Leaves of a tree"),
        description=_("More leaves can tell more cases apart, and learn by heart sooner."),
        json_schema_extra={"group": "advanced"},
    )
    rows_per_leaf: int = Field(
        default=20,
        ge=1,
        le=10_000,
        title=_("Rows per leaf"),
        description=_("A leaf of fewer rows is not made. Lower it for small tables."),
        json_schema_extra={"group": "advanced", "unit": "rows"},
    )

    @property
    def left_out(self) -> frozenset[str]:
        """Name the columns to leave out."""
        names = (" ".join(name.split()) for name in self.leave_out.split(","))
        return frozenset(name for name in names if name)

    def reads_numbers(self, name: str) -> bool:
        """Whether a column is read as numbers, if it holds them."""
        if name == self.target_name:
            return self.task != "classes"
        is_group = self.split_by == "group" and name == self.split_name
        return name not in self.left_out and not is_group

    @property
    def target_name(self) -> str:
        """Name the target as tables write it."""
        return " ".join(self.target.split())

    @property
    def split_name(self) -> str:
        """Name the column to split by, where it is asked for."""
        return "" if self.split_by == "rows" else " ".join(self.split_column.split())


def count(inputs: Mapping[str, Path], base: Facts) -> Facts:
    """Count the rows and columns of the table."""
    dataset = inputs.get("dataset")
    if dataset is None:
        return base
    files = tables.files_of(dataset).train
    different = tables.different_of(files[0]) if files else ()
    return replace(tables.counted(dataset, base), different=different)


def checks(inputs: dict[str, Path]) -> tuple[Sentence, ...]:
    """Say what is wrong with the table before anything is queued."""
    dataset = inputs.get("dataset")
    return tables.check(dataset) if dataset else ()


def knob_checks(knobs: Knobs, inputs: dict[str, Path]) -> tuple[Sentence, ...]:
    """Say which columns that were named are not in the table, and ask of unclear numbers."""
    dataset = inputs.get("dataset")
    names = tables.first_names(dataset)
    problems = column_problems(knobs, names) if names else ()
    if problems or dataset is None or knobs.unclear_numbers != "ask":
        return problems
    return number_words.questions(dataset, asked=knobs.reads_numbers)


def column_problems(knobs: Knobs, names: tuple[str, ...]) -> tuple[Sentence, ...]:
    """Say which settings name no column, and which columns there are."""
    shown = tables.listed(names)
    if not knobs.target_name:
        text = _("Name the column to predict. The table has: %(names)s.")
        return (Sentence(text, names=shown),)
    if knobs.split_by != "rows" and not knobs.split_name:
        text = _("Name the column of the time or group. The table has: %(names)s.")
        return (Sentence(text, names=shown),)
    text = _("The table has no column “%(name)s”. It has: %(names)s.")
    asked = [knobs.target_name, knobs.split_name, *sorted(knobs.left_out)]
    wrong = [name for name in asked if name and name not in names]
    if not wrong and knobs.target_name in knobs.left_out:
        both = _("Column “%(name)s” cannot be predicted and left out; choose one of both.")
        return (Sentence(both, name=knobs.target_name),)
    return tuple(Sentence(text, name=name, names=shown) for name in wrong)


RECIPE = Recipe(
    name="tabular",
    title=_("Predict a column of a table"),
    summary=_(
        "Learns one column of a table from the others with boosted trees, beside a plain model "
        "as yardstick, and tells how sure one may be of it."
    ),
    when_to_use=_(
        "You have a table of cases that ended (orders, customers, machines, requests), and "
        "want to say beforehand how new ones will end. Some hundreds of rows or more."
    ),
    knobs=Knobs,
    inputs=(
        Input(
            name="dataset",
            kind="dataset",
            title=_("Table"),
            help=_("One or more .csv, .parquet or .jsonl files with the same columns."),
        ),
    ),
    estimate=estimate,
    checks=checks,
    makes=_("model of a table"),
    makeup="tabular",
    library_name="lightgbm",
    pipeline_tag="tabular-classification",
    more_pipeline_tags=("tabular-regression",),
    load='fabriek_recipes.tabular.predict.load("%s")',
    count=count,
    knob_checks=knob_checks,
    counts="cells",
    has_dry_run=True,
)
