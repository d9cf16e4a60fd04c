"""Learns from a table: read, plain model, trees, chances set right, score, leave it all."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

import lightgbm
import numpy as np

from fabriek_recipes import evaluation
from fabriek_recipes.evaluation import Evaluation, Score, Worst
from fabriek_recipes.events import Json
from fabriek_recipes.tabular import boosting, calibrating, columns, data, effects, model
from fabriek_recipes.tabular.baseline import Baseline, constant
from fabriek_recipes.tabular.boosting import Grown
from fabriek_recipes.tabular.data import Data
from fabriek_recipes.tabular.knobs import Knobs
from fabriek_recipes.tabular.predict import Predictor
from fabriek_recipes.tabular.reading import Matrix
from fabriek_recipes.training import measuring, reporting
from fabriek_recipes.training.identity import Clock
from fabriek_recipes.training.process import Job
from fabriek_recipes.words import Sentence, _, counted

WORST_KEPT = 20
CELLS_SHOWN = 8
SCORE_OF_LABELS, SCORE_OF_NUMBERS = "log_loss", "mae"
ROWS_FOR_EFFECTS = 30
GROUPS_FEW = 10


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class Answers:
    """What three say of the rows kept apart: the model, the plain model, and nobody looking."""

    model: Matrix
    plain: Matrix
    constant: Matrix


def train(job: Job[Knobs]) -> None:
    """Run the recipe in the job's folder, from its last checkpoint when it has one."""
    if not job.group.seat.leads:
        return  # there is nothing to share: one process does all
    clock = Clock()
    job.events.stage(_("Reading the table"))
    found = data.read(job)
    job.stop.check()
    if job.is_dry:
        job.events.stage(_("Learning"))
        boosting.grow(job, found)
    job.events.stage(_("Making the plain model"))
    baseline = Baseline(found, seed=job.manifest.seed)
    job.stop.check()
    job.events.stage(_("Learning"))
    grown = boosting.grow(job, found)
    predictor = _predictor(job, found, boosting.cut_to_best(grown))
    job.events.stage(_("Scoring after"))
    answers = _answers(found, predictor, baseline)
    scores = _scores(job, found, answers)
    told = _evaluated(job, found, predictor, answers, scores)
    job.stop.check()
    job.events.stage(_("Saving"))
    reporting.whole(
        job.outputs / "model",
        lambda aside: model.write(
            aside, predictor.config, boosting.cut_to_best(grown), baseline.weights()
        ),
    )
    evaluation.save(job.folder, told)
    _report(job, found, scores, grown, clock)


def _predictor(job: Job[Knobs], found: Data, trees: str) -> Predictor:
    """Set the chances right on rows neither learned from nor used to know when to stop."""
    booster = lightgbm.Booster(model_str=trees)
    lines = []
    if not found.is_number and len(found.calibrate):
        said = boosting.chances(booster, found.calibrate.features)
        lines = calibrating.fit(found.calibrate.codes, said)
    if not found.is_number and not lines:
        text = _("There are too few rows to set the chances right; take them as a rough guess.")
        job.events.warning("not_calibrated", Sentence(text))
    config = model.Config(
        target=job.knobs.target_name,
        labels=found.labels,
        target_comma=found.target_style == "comma",
        columns=found.meanings,
        calibration=lines,
        trees=len(columns.features(found.meanings)),
    )
    return Predictor(config, booster)


def _answers(found: Data, predictor: Predictor, baseline: Baseline) -> Answers:
    features = found.held_out.features
    rows = len(found.held_out)
    if found.is_number:
        return Answers(
            model=predictor.numbers(features),
            plain=baseline.numbers(features),
            constant=constant(found, rows),
        )
    return Answers(
        model=predictor.chances(features),
        plain=baseline.chances(features),
        constant=constant(found, rows),
    )


def _scores(job: Job[Knobs], found: Data, answers: Answers) -> list[Score]:
    """Score the model, with nobody looking as “before” and the plain model as yardstick."""
    held_out = found.held_out

    def measures(said: Matrix) -> dict[str, measuring.Measure]:
        if found.is_number:
            return measuring.of_numbers(held_out.truth, said)
        return measuring.of_labels(held_out.codes, said)

    return measuring.scores(
        measures(answers.model),
        len(held_out),
        seed=job.manifest.seed,
        yardstick=measures(answers.plain),
        before=measures(answers.constant),
        groups=found.groups,
    )


def _evaluated(
    job: Job[Knobs], found: Data, predictor: Predictor, answers: Answers, scores: list[Score]
) -> Evaluation:
    told = Evaluation(
        rows=len(found.held_out),
        remarks=[evaluation.told(one) for one in _remarks(job, found, scores)],
        scores=scores,
        effects=_effects(job, found, predictor),
        effect_of=evaluation.cut(
            job.knobs.target_name if found.is_number else found.labels[_looked_for(found)]
        ),
        worst=_worst(found, answers.model),
    )
    if found.is_number:
        return told
    truth, said = found.held_out.codes, answers.model.argmax(axis=1)
    return told.model_copy(
        update={
            "labels": measuring.per_label(truth, said, found.labels),
            "confusion": measuring.confusion(truth, said, found.labels),
            "reliability": measuring.reliability(truth, answers.model),
        }
    )


def _remarks(job: Job[Knobs], found: Data, scores: list[Score]) -> list[Sentence]:
    """Say plainly whether the trees were worth it."""
    name = SCORE_OF_NUMBERS if found.is_number else SCORE_OF_LABELS
    if measuring.is_beaten(scores, name):
        text = _(
            "The plain model does as well as the trees or better: take the plain one, which "
            "is easier to explain, or bring more rows or columns."
        )
    elif measuring.is_within_chance(scores, name):
        text = _(
            "The trees do a little better than the plain model, by no more than chance could "
            "give; more rows would tell."
        )
    else:
        text = _("The trees do better than the plain model, by more than chance would give.")
    if measuring.is_beaten(scores, name):
        job.events.warning("yardstick", Sentence(text))
    remarks = [Sentence(text)]
    if found.divided_by:
        text = _("The rows that column “%(name)s” keeps apart were scored on, and no others.")
        remarks.append(Sentence(text, name=evaluation.cut(found.divided_by, 60)))
    elif job.knobs.split_by == "rows":
        text = _(
            "Rows were kept apart by lot. Where you predict what comes, or where rows of one "
            "customer are alike, keep the latest rows or whole groups apart: this score is "
            "then too good."
        )
        remarks.append(Sentence(text))
    return remarks + _remarks_of_rows(found)


def _remarks_of_rows(found: Data) -> list[Sentence]:
    """Say what the rows kept apart do to the scores."""
    remarks = []
    if found.groups is not None:
        count = len(np.unique(found.groups))
        text = _(
            "%(count)s whole groups were kept apart, and how sure the scores are was found by "
            "drawing groups."
        )
        if count < GROUPS_FEW:
            text = _(
                "Only %(count)s groups were kept apart: how sure the scores are of other "
                "groups is a rough guess."
            )
        remarks.append(Sentence(text, count=count))
    if found.same:
        said = counted(
            _("%(count)s row kept apart was also learned from, so the scores are too good."),
            _("%(count)s rows kept apart were also learned from, so the scores are too good."),
            count=found.same,
        )
        remarks.append(said)
    return remarks


def _looked_for(found: Data) -> int:
    """Of two labels the rarer one, of more the most frequent: whose chance is drawn."""
    return 1 if len(found.labels) == 2 else 0  # noqa: PLR2004


def _effects(job: Job[Knobs], found: Data, predictor: Predictor) -> list[evaluation.Effect]:
    held_out = found.held_out
    if len(held_out) < ROWS_FOR_EFFECTS:
        return []
    seed = job.manifest.seed
    rows = effects.sample(len(held_out), seed=seed)
    features, truth = held_out.features[rows], held_out.truth[rows]
    worth = effects.importances(
        found.meanings, features, _loss(found, predictor, truth), seed=seed
    )
    job.stop.check()
    label = _looked_for(found)

    def answer(changed: Matrix) -> Matrix:
        if found.is_number:
            return predictor.numbers(changed)
        return predictor.chances(changed)[:, label]

    return effects.effects(found.meanings, features, worth, answer)


def _loss(found: Data, predictor: Predictor, truth: Matrix) -> Callable[[Matrix], float]:
    every = np.arange(len(truth))

    def of_labels(features: Matrix) -> float:
        said = predictor.chances(features)
        return measuring.of_labels(truth.astype(np.int64), said)[SCORE_OF_LABELS](every)

    def of_numbers(features: Matrix) -> float:
        said = predictor.numbers(features)
        return measuring.of_numbers(truth, said)[SCORE_OF_NUMBERS](every)

    return of_numbers if found.is_number else of_labels


def _worst(found: Data, said: Matrix) -> list[Worst]:
    """Show the rows it was furthest from, with their line and first cells."""
    held_out = found.held_out
    if found.is_number:
        distance = np.abs(held_out.truth - said)
    else:
        distance = 1 - said[np.arange(len(held_out)), held_out.codes]
    shown = np.argsort(-distance, kind="stable")[:WORST_KEPT]
    return [
        Worst(
            row=str(found.table.lines[int(held_out.rows[place])]),
            truth=_written(found, held_out.truth[place]),
            said=_written(found, said[place] if found.is_number else said[place].argmax()),
            distance=round(float(distance[place]), 6),
            shown=_cells(found, int(held_out.rows[place])),
        )
        for place in shown
    ]


def _written(found: Data, value: float) -> str:
    return f"{value:.6g}" if found.is_number else evaluation.cut(found.labels[int(value)])


def _cells(found: Data, row: int) -> str:
    shown = []
    for one in found.meanings[:CELLS_SHOWN]:
        column = found.table.columns.get(one.name)
        code = column.codes[row] if column else -1
        shown.append(f"{one.name}: {column.words[code] if column and code >= 0 else '–'}")
    return evaluation.cut("; ".join(shown), evaluation.SHOWN_CELLS_MAX)


def _report(
    job: Job[Knobs], found: Data, scores: list[Score], grown: Grown, clock: Clock
) -> None:
    summary = measuring.summary(scores)
    facts: dict[str, Json] = {
        "scores": dict(summary),
        "rows_trained": len(found.learn) + len(found.stop) + len(found.calibrate),
        "rows_held_out": len(found.held_out),
        "columns_used": len(found.meanings),
        "trees": grown.best,
        "pipeline_tag": "tabular-regression" if found.is_number else "tabular-classification",
        "device": "cpu",
        "seconds": clock.seconds(),
    }
    job.events.result(summary)
    reporting.report(job.folder, facts, "lightgbm", "scikit-learn", "numpy")
