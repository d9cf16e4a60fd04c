"""How well a model does, in one closed shape: written by recipes, shown by the portal.

Nothing in it is free: every list is bounded, every text is cut, every number is finite, so that
a portal can show what a stranger's job wrote. What names single rows is apart in `worst`: it
may hold people's data and stays with the run.
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from pathlib import Path
from typing import Annotated, Literal

from pydantic import BaseModel, ConfigDict, Field, ValidationError

from fabriek_recipes.events import finite
from fabriek_recipes.run_folder import write_whole

EVALUATION = "outputs/evaluation.json"
BYTES_MAX = 512 * 1024
FILE_MODE = 0o640
SHOWN_LABELS_MAX = 30
SHOWN_CELLS_MAX = 400

# A zero byte is text that no database keeps.
PLAIN = r"^[^\x00]*$"
Name = Annotated[str, Field(max_length=200, pattern=PLAIN)]
Long = Annotated[str, Field(max_length=2_000, pattern=PLAIN)]
Figure = Annotated[float, Field(allow_inf_nan=False, ge=-1e300, le=1e300)]
Count = Annotated[int, Field(ge=0, le=10**12)]
Share = Annotated[float, Field(allow_inf_nan=False, ge=0, le=1)]


class Part(BaseModel):
    """A closed piece: no more than is named here."""

    model_config = ConfigDict(frozen=True, extra="forbid")


class Told(Part):
    """A sentence and its template, so that a page can say it in Dutch."""

    text: Long
    msgid: Long = ""
    values: Annotated[dict[Name, Name | int | Figure], Field(max_length=10)] = {}


class Score(Part):
    """One figure on rows kept apart, with the 95 % interval it lies in."""

    name: Name
    value: Figure
    low: Figure
    high: Figure
    yardstick: Figure | None = None
    before: Figure | None = None
    gain_low: Figure | None = None
    """What it gains over the yardstick on the same rows lies from here …"""
    gain_high: Figure | None = None
    """… to here; a gain is above zero, whether more or less of the score is better."""


class Label(Part):
    """How one label fared."""

    name: Name
    precision: Share
    recall: Share
    f1: Share
    rows: Count


class Confusion(Part):
    """How often each true label (row) was taken for each label (column)."""

    labels: Annotated[list[Name], Field(max_length=SHOWN_LABELS_MAX)]
    counts: Annotated[
        list[Annotated[list[Count], Field(max_length=SHOWN_LABELS_MAX)]],
        Field(max_length=SHOWN_LABELS_MAX),
    ]


class Bin(Part):
    """Rows for which about the same chance was said, and how often that came true."""

    said: Share
    came_true: Share
    rows: Count


class EffectPoint(Part):
    """What the model says on average when a column has this value."""

    at: Name
    x: Figure | None = None
    y: Figure


class Effect(Part):
    """What one column is worth: what is lost when it is shuffled, and where it leads."""

    name: Name
    importance: Figure
    points: Annotated[list[EffectPoint], Field(max_length=40)] = []

    def without_words(self) -> Effect:
        """Leave out where it leads when what stands along it is words."""
        has_words = any(point.x is None for point in self.points)
        return self.model_copy(update={"points": []}) if has_words else self


class ForecastPoint(Part):
    """One moment: what was, what was said, and between which bounds."""

    at: Name
    actual: Figure | None = None
    said: Figure | None = None
    low: Figure | None = None
    high: Figure | None = None


class Series(Part):
    """One series, its model, its error, and its forecast beside what was."""

    name: Name
    model: Name
    error: Figure | None = None
    yardstick: Figure | None = None
    points: Annotated[list[ForecastPoint], Field(max_length=200)] = []

    def as_said(self) -> Series:
        """Leave out what was: only what the model says stays."""
        said = [one for one in self.points if one.said is not None]
        points = [one.model_copy(update={"actual": None}) for one in said]
        return self.model_copy(update={"points": points})


class Worst(Part):
    """A row the model was furthest from."""

    row: Name
    truth: Name
    said: Name
    distance: Figure
    shown: Annotated[str, Field(max_length=SHOWN_CELLS_MAX, pattern=PLAIN)] = ""


class Evaluation(Part):
    """The whole evaluation of one run."""

    format: Literal[1] = 1
    rows: Count
    remarks: Annotated[list[Told], Field(max_length=20)] = []
    scores: Annotated[list[Score], Field(max_length=20)] = []
    labels: Annotated[list[Label], Field(max_length=SHOWN_LABELS_MAX)] = []
    confusion: Confusion | None = None
    reliability: Annotated[list[Bin], Field(max_length=20)] = []
    effects: Annotated[list[Effect], Field(max_length=30)] = []
    effect_of: Name = ""
    series: Annotated[list[Series], Field(max_length=30)] = []
    worst: Annotated[list[Worst], Field(max_length=30)] = []
    best: Annotated[list[Worst], Field(max_length=30)] = []

    def without_rows(self) -> Evaluation:
        """Give what may travel with the model: nothing of single rows, and no words of them.

        A figure of a series is a row, and a word in a column may be somebody's name: what is
        worth what is told, the words and what was are not.
        """
        kept = {
            "worst": [],
            "best": [],
            "series": [one.as_said() for one in self.series],
            "effects": [one.without_words() for one in self.effects],
        }
        return self.model_copy(update=kept)


def save(run_folder: Path, found: Evaluation) -> None:
    """Write `outputs/evaluation.json` whole or not at all."""
    made = finite(found.model_dump(mode="json"))
    text = json.dumps(made, ensure_ascii=False, allow_nan=False, indent=1)
    write_whole(run_folder / EVALUATION, text)
    (run_folder / EVALUATION).chmod(FILE_MODE)


def parsed(text: bytes) -> Evaluation | None:
    """Read what a job wrote; nothing when it is not exactly of this shape."""
    if len(text) > BYTES_MAX:
        return None
    try:
        return Evaluation.model_validate_json(text, strict=True)
    except (ValidationError, RecursionError):
        return None


def of(raw: object) -> Evaluation | None:
    """Read what was kept as JSON; nothing when there is none."""
    if not isinstance(raw, Mapping) or not raw:
        return None
    try:
        return Evaluation.model_validate(raw)
    except ValidationError:
        return None


def cut(text: object, most: int = 200) -> str:
    """Bring a text within what a name may be, on one line."""
    return " ".join(str(text).replace("\0", " ").split())[:most]


def told(sentence: str) -> Told:
    """Keep a `Sentence` with its template."""
    msgid = getattr(sentence, "msgid", "")
    values = dict(getattr(sentence, "values", {}))
    short = {name: cut(one) if isinstance(one, str) else one for name, one in values.items()}
    return Told(text=str(sentence)[:2_000], msgid=msgid, values=short)
