"""Grows the trees in pieces, each saved, until rows kept apart no longer gain by more.

The seed of a piece follows from the run's and its place, and each piece starts from the text
of the trees before it: a run that was stopped ends like one that was not, by construction.
"""

from __future__ import annotations

import json
import time
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import lightgbm
import numpy as np

from fabriek_recipes import tables
from fabriek_recipes.kinds import Facts
from fabriek_recipes.run_folder import write_whole
from fabriek_recipes.tabular.columns import Meaning, features
from fabriek_recipes.tabular.data import Data, Part
from fabriek_recipes.tabular.knobs import Knobs
from fabriek_recipes.tabular.reading import Matrix
from fabriek_recipes.training.identity import fingerprint
from fabriek_recipes.training.process import Job
from fabriek_recipes.training.trial import Trial, process_bytes

PIECE_TREES = 25
# As many points as a curve on a page can show.
CURVE_POINTS = 200
CHECKPOINT = "trees.json"
NUMBER_METRIC, TWO_METRIC, MANY_METRIC = "rmse", "binary_logloss", "multi_logloss"
FEATURE_SHARE = 0.8
SEEDS = 2**31 - 1
CELL_SMOOTHING = 10.0


LEARN, STOP = "learn", "stop"


@dataclass(slots=True)
class Grown:
    """Trees as text, and how each round did on the rows that say when to stop."""

    text: str = ""
    losses: list[float] = field(default_factory=list)

    @property
    def best(self) -> int:
        """How many rounds were best."""
        return int(np.argmin(self.losses)) + 1 if self.losses else 0


def grow(job: Job[Knobs], data: Data) -> Grown:
    """Grow trees from the last checkpoint on.

    Raises:
        Stopped: when the engine asks to stop; the pieces before are kept.
        Tried: after the rounds of a dry run.
    """
    grown = _latest(job)
    knobs = job.knobs
    while len(grown.losses) < knobs.rounds_max:
        if len(grown.losses) - grown.best >= knobs.patience:
            break
        _piece(job, data, grown)
        _save(job, grown)
    return grown


def cut_to_best(grown: Grown) -> str:
    """Give the text of the trees up to the best round."""
    booster = lightgbm.Booster(model_str=grown.text)
    return booster.model_to_string(num_iteration=grown.best)


def chances(booster: lightgbm.Booster, found: Matrix) -> Matrix:
    """Predict chances, (N, K)."""
    said = np.asarray(booster.predict(found))
    return np.column_stack([1 - said, said]) if said.ndim == 1 else said


def numbers(booster: lightgbm.Booster, found: Matrix) -> Matrix:
    """Predict numbers."""
    return np.asarray(booster.predict(found))


def _piece(job: Job[Knobs], data: Data, grown: Grown) -> None:
    done = len(grown.losses)
    rounds = min(PIECE_TREES, job.knobs.rounds_max - done)
    seen: dict[str, dict[str, list[float]]] = {}
    learn = _dataset(data, data.learn)
    pace = _Pace(job)

    def heard(env: Any) -> None:  # noqa: ANN401  the library's own tuple, without a type
        job.stop.check()
        round_ = done + env.iteration - env.begin_iteration + 1
        job.events.progress(round_, job.knobs.rounds_max, "trees")
        pace.note(is_last=round_ == job.knobs.rounds_max)

    booster = lightgbm.train(
        _settings(job, data, done),
        learn,
        num_boost_round=rounds,
        valid_sets=[learn, _dataset(data, data.stop, like=learn)],
        valid_names=[LEARN, STOP],
        init_model=lightgbm.Booster(model_str=grown.text) if grown.text else None,
        callbacks=[heard, lightgbm.record_evaluation(seen)],
    )
    learned, losses = (next(iter(seen[name].values())) for name in (LEARN, STOP))
    _tell(job, done, learned, losses)
    grown.losses += losses
    grown.text = booster.model_to_string(num_iteration=-1)


def _tell(job: Job[Knobs], done: int, learned: list[float], losses: list[float]) -> None:
    """Draw both losses, so that one sees where the trees begin to learn by heart."""
    every = max(1, job.knobs.rounds_max // CURVE_POINTS)
    pairs = list(zip(learned, losses, strict=True))
    for round_, (loss, held_out_loss) in enumerate(pairs, done + 1):
        if round_ % every == 0 or round_ == done + len(pairs):
            job.events.metrics(round_, loss=loss, held_out_loss=held_out_loss)


class _Pace:
    """Measures how long the rounds of a dry run take, in cells of the table."""

    def __init__(self, job: Job[Knobs]) -> None:
        steps = job.manifest.limits.steps_max
        self._trial = Trial(steps, process_bytes)
        # As the estimate counts: all of the table, whatever part of it is learned from.
        nothing = Facts(rows=0, text_bytes=0)
        found = tables.counted(job.input("dataset"), nothing) if steps else nothing
        self._cells = found.rows * max(1, found.columns)
        self._at = time.monotonic()

    def note(self, *, is_last: bool) -> None:
        now = time.monotonic()
        self._trial.note(now - self._at, self._cells, is_last=is_last)
        self._at = now


def _dataset(data: Data, part: Part, like: lightgbm.Dataset | None = None) -> lightgbm.Dataset:
    return lightgbm.Dataset(
        part.features,
        label=part.truth,
        reference=like,
        feature_name=[f"f{place}" for place in range(part.features.shape[1])],
        categorical_feature=_categories(data.meanings),
        params={"verbosity": -1, "min_data_in_bin": 1},
        free_raw_data=False,
    )


def _categories(meanings: list[Meaning]) -> list[int]:
    kinds = [one.kind for one in meanings for _feature in one.features]
    return [place for place, kind in enumerate(kinds) if kind == "category"]


def _settings(job: Job[Knobs], data: Data, done: int) -> dict[str, Any]:
    knobs, labels = job.knobs, len(data.labels)
    if data.is_number:
        aim: dict[str, Any] = {"objective": "regression", "metric": NUMBER_METRIC}
    elif labels == 2:  # noqa: PLR2004
        aim = {"objective": "binary", "metric": TWO_METRIC}
    else:
        aim = {"objective": "multiclass", "num_class": labels, "metric": MANY_METRIC}
    return {
        **aim,
        "learning_rate": knobs.learning_rate,
        "num_leaves": knobs.leaves,
        "min_data_in_leaf": min(knobs.rows_per_leaf, max(1, len(data.learn) // 10)),
        "feature_fraction": FEATURE_SHARE if len(features(data.meanings)) > 3 else 1.0,  # noqa: PLR2004
        "cat_smooth": CELL_SMOOTHING,
        "seed": (job.manifest.seed * 1_000_003 + done) % SEEDS,
        "deterministic": True,
        "force_row_wise": True,
        "verbosity": -1,
    }


def _path(job: Job[Knobs]) -> Path:
    return job.checkpoints / CHECKPOINT


def _save(job: Job[Knobs], grown: Grown) -> None:
    kept = {"run": fingerprint(job), "losses": grown.losses, "text": grown.text}
    write_whole(_path(job), json.dumps(kept))


def _latest(job: Job[Knobs]) -> Grown:
    try:
        kept = json.loads(_path(job).read_bytes())
        if kept["run"] == fingerprint(job):
            return Grown(text=str(kept["text"]), losses=[float(one) for one in kept["losses"]])
    except (OSError, ValueError, KeyError, TypeError):
        pass
    return Grown()
