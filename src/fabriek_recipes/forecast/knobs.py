"""What can be set when forecasting, what it costs, and whether the table will do."""

from __future__ import annotations

from collections.abc import Mapping
from math import ceil
from pathlib import Path

from pydantic import BaseModel, ConfigDict, Field

from fabriek_recipes import number_words, tables
from fabriek_recipes.cost import core_speed, slowness
from fabriek_recipes.kinds import Estimate, Facts, Input, Recipe
from fabriek_recipes.words import Sentence, _

# Own measurement (2026-11-28, a core of 129 GFLOP/s, statsmodels 0.15): seconds for a thousand
# moments, in series of 72 and 96 (0.12 and 0.07), for each try and its share of choosing. One
# of 600 takes a fifth of it, but how long they are nobody has counted. Start, reading and
# writing: one, 10 and 60 series took 1.1, 1.6 and 3.8 s.
FIT_S_PER_1000 = 0.09
START_S = 1.0
ROWS_PER_S = 100_000


class Knobs(BaseModel):
    """Settings of a forecast."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    time_column: tables.ColumnName = Field(
        default="time",
        title=_("Column of the time"),
        description=_("Days or moments with an even step: each hour, day, week, month, year."),
        json_schema_extra={"group": "basic"},
    )
    value_column: tables.ColumnName = Field(
        default="value",
        title=_("Column of the value"),
        description=_("The figure to forecast."),
        json_schema_extra={"group": "basic"},
    )
    series_column: tables.ColumnName = Field(
        default="",
        title=_("Column of the series"),
        description=_(
            "The name of a product, shop or machine, where the table holds several series; "
            "empty where it holds one."
        ),
        json_schema_extra={"group": "basic"},
    )
    unclear_numbers: number_words.UnclearNumbers = "ask"
    # A year of days is as far as figures of the past can say anything.
    horizon: int = Field(
        default=12,
        ge=1,
        le=366,
        title=_("How far ahead"),
        description=_("Steps to forecast: 12 of monthly figures is a year."),
        json_schema_extra={"group": "basic", "unit": "periods"},
    )
    # Nothing comes back after more than a thousand steps that this can learn.
    season: int = Field(
        default=0,
        ge=0,
        le=1_000,
        title=_("Length of a season"),
        description=_(
            "After how many steps it comes back: 12 of months, 7 of days. With 0 it follows "
            "from the step; with 1 there is none."
        ),
        json_schema_extra={"group": "advanced", "unit": "periods"},
    )
    # One window is luck; 50 take long and reach far back.
    windows: int = Field(
        default=4,
        ge=1,
        le=50,
        title=_("Times it is tried"),
        description=_(
            "It is scored by forecasting, so many times, a stretch of the past from what came "
            "before it alone."
        ),
        json_schema_extra={"group": "advanced"},
    )
    interval_percent: int = Field(
        default=90,
        ge=50,
        le=99,
        title=_("How sure the bounds are"),
        description=_("Of what comes, this share should fall between the bounds."),
        json_schema_extra={"group": "advanced", "unit": "%"},
    )


def estimate(knobs: Knobs, facts: Facts) -> Estimate:
    """Price a run by the moments of the series and the times each is fitted."""
    fits = fits_of(knobs)
    times = slowness(facts)
    learn_s = times * facts.rows / 1_000 * FIT_S_PER_1000 * fits
    wall_s = learn_s + times * (START_S + facts.rows / ROWS_PER_S)
    return Estimate(
        gpu_seconds=ceil(wall_s * max(1, facts.gpus)),
        memory_bytes=400_000_000 + facts.text_bytes * 10,
        learning_s=learn_s,
        tokens=facts.rows * fits,
        why=(
            Sentence(_("The table has %(rows)s moments."), rows=facts.rows),
            Sentence(
                _("Each series is fitted %(fits)s times: about %(learn)s s in all."),
                fits=fits,
                learn=ceil(learn_s),
            ),
            core_speed(facts),
            Sentence(_("It learns on the processor: a GPU makes it no faster.")),
        ),
    )


def fits_of(knobs: Knobs) -> int:
    """Count how often a series is fitted: to choose, for each try, and for what comes."""
    return knobs.windows + 3


def count(inputs: Mapping[str, Path], base: Facts) -> Facts:
    """Count the moments of the table."""
    dataset = inputs.get("dataset")
    return tables.counted(dataset, base) if dataset else base


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
    value = " ".join(knobs.value_column.split())
    return number_words.questions(dataset, asked=lambda name: name == value)


def column_problems(knobs: Knobs, names: tuple[str, ...]) -> tuple[Sentence, ...]:
    """Say which settings name no column, and which columns there are."""
    shown = tables.listed(names)
    asked = [knobs.time_column, knobs.value_column]
    asked += [knobs.series_column] if knobs.series_column else []
    text = _("The table has no column “%(name)s”. It has: %(names)s.")
    return tuple(
        Sentence(text, name=name, names=shown)
        for name in (" ".join(one.split()) for one in asked)
        if name not in names
    )


RECIPE = Recipe(
    name="forecast",
    title=_("Forecast figures in time"),
    summary=_(
        "Forecasts each series of a table with the model that fits it best, says between which "
        "bounds, and compares it with repeating the last season."
    ),
    when_to_use=_(
        "You have figures at an even step (sales by week, power by hour, visitors by day) and "
        "want to know what comes. At least two seasons, better four or more."
    ),
    knobs=Knobs,
    inputs=(
        Input(
            name="dataset",
            kind="dataset",
            title=_("Figures in time"),
            help=_("One or more .csv, .parquet or .jsonl files with a time and a value."),
        ),
    ),
    estimate=estimate,
    checks=checks,
    makes=_("forecast"),
    makeup="forecast",
    library_name="statsmodels",
    pipeline_tag="time-series-forecasting",
    load='pandas.read_csv("hf://%s/forecast.csv")',
    count=count,
    knob_checks=knob_checks,
    counts="moments",
    has_dry_run=True,
)
