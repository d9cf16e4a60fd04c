"""Scores: reads questions, asks each model, and leaves scores with intervals; no model."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import torch

from fabriek_recipes import evaluation
from fabriek_recipes.evaluate import results
from fabriek_recipes.evaluate.asking import Asked, Manner, ask
from fabriek_recipes.evaluate.knobs import MODELS, Knobs
from fabriek_recipes.evaluate.questions import Question, of_rows, of_task
from fabriek_recipes.evaluate.task_files import Unusable, task_files
from fabriek_recipes.evaluate.tasks import Task, read_task
from fabriek_recipes.evaluation import Evaluation, Score, Told
from fabriek_recipes.events import Json
from fabriek_recipes.training import refusals, saving
from fabriek_recipes.training.base import load
from fabriek_recipes.training.encoding import context_of, dress
from fabriek_recipes.training.process import Job
from fabriek_recipes.training.run import Clock, choose_device
from fabriek_recipes.words import Failed, Sentence, _

SAMPLES_SHOWN = 5
ROW_MEASURES = ("exact_match", "token_f1", "rouge_l", "perplexity")


@dataclass(frozen=True, slots=True, kw_only=True)
class Exam:
    """One set of questions, and what is measured; `task` is absent for rows."""

    questions: list[Question]
    task: Task | None = None

    @property
    def measures(self) -> tuple[str, ...]:
        """What is told of it."""
        if self.task is None:
            return ROW_MEASURES
        more = ("calibration_error",) if self.task.kind == "choose" else ()
        return (*self.task.measures, *more)

    @property
    def prefix(self) -> str:
        """What stands before the names of its scores."""
        return f"{self.task.name}: " if self.task else ""


def train(job: Job[Knobs]) -> None:
    """Run the recipe in the job's folder; it is short, and starts anew when it was stopped."""
    clock = Clock()
    device = choose_device(job)
    job.events.stage(_("Reading the rows"))
    exams = _exams(job)
    facts: dict[str, Json] = {"device": device.type}
    told: dict[str, list[Asked]] = {}
    for name in MODELS:
        if name not in job.manifest.inputs:
            continue
        job.stop.check()
        told[name], hash_of_template = _asked_of(job, name, exams, device)
        facts[f"chat_template_sha256_of_{name}"] = hash_of_template
    facts["seconds"] = clock.seconds()
    job.group.once(lambda: _report(job, exams, told, facts))


def _exams(job: Job[Knobs]) -> list[Exam]:
    dataset, most, seed = job.input("dataset"), job.knobs.rows_max, job.manifest.seed
    files = task_files(dataset)
    if not files:
        return [Exam(questions=of_rows(dataset, most=most, seed=seed))]
    found = []
    for path in files:
        try:
            task = read_task(path, dataset)
        except Unusable as why:
            sentence = why.sentence
            raise Failed("bad_task", sentence.msgid, **dict(sentence.values)) from why
        questions = of_task(task, most=most, seed=seed)
        if job.knobs.asking == "chat":
            questions = [each.as_chat() for each in questions]
        found.append(Exam(questions=questions, task=task))
    return found


def _asked_of(
    job: Job[Knobs], name: str, exams: Sequence[Exam], device: torch.device
) -> tuple[list[Asked], str]:
    job.events.stage(_("Loading the model"))
    base = load(job.input(name), device, frozen=True)
    job.events.stage(_("Asking the model"))
    found = []
    for number, exam in enumerate(exams):
        job.events.progress(number, len(exams), "tasks")
        manner = _manner(job.knobs, exam.task, context_of(base))
        asked = ask(job, base, exam.questions, manner)
        if not asked.answered:
            raise refusals.beyond_context(manner.context)
        if asked.left_out:
            lines = [each.line for each in asked.left_out]
            job.events.warning("rows_left_out", refusals.too_long(lines, manner.context))
        for each in asked.answered[:SAMPLES_SHOWN] if name == MODELS[0] else ():
            job.events.sample(each.question.asked, each.target, each.said, "after")
        found.append(asked)
    return found, dress(base.tokenizer)


def _manner(knobs: Knobs, task: Task | None, context: int) -> Manner:
    if task is None:
        return Manner(kind="generate", tokens_max=knobs.answer_tokens_max, context=context)
    return Manner(
        kind=task.kind,
        tokens_max=min(knobs.answer_tokens_max, task.tokens_max or knobs.answer_tokens_max),
        context=context,
        until=task.until or (("\n\n",) if knobs.asking == "as_is" else ()),
        ignores_case=task.ignores_case,
        ignores_punctuation=task.ignores_punctuation,
    )


def _report(
    job: Job[Knobs],
    exams: Sequence[Exam],
    told: dict[str, list[Asked]],
    facts: dict[str, Json],
) -> None:
    scores: list[Score] = []
    for place, exam in enumerate(exams):
        scores += results.of_exam(
            exam.prefix,
            exam.measures,
            [told[name][place].answered for name in MODELS if name in told],
            seed=job.manifest.seed,
        )
    first = [each for asked in told[MODELS[0]] for each in asked.answered]
    left_out = sum(len(asked.left_out) for asked in told[MODELS[0]])
    ranked = sorted(first, key=lambda each: each.rank)
    worst, best = (results.shown(part) for part in (ranked, ranked[::-1]))
    found = Evaluation(
        rows=len(first),
        remarks=_remarks(scores),
        scores=scores[: results.SCORES_MAX],
        reliability=results.reliability(first),
        worst=worst,
        best=best,
    )
    evaluation.save(job.folder, found)
    summary: dict[str, float | None] = {each.name: round(each.value, 4) for each in scores}
    intervals: dict[str, Json] = {
        each.name: [round(each.low, 4), round(each.high, 4)] for each in scores
    }
    job.events.result(summary)
    report: dict[str, Json] = {
        "scores": dict(summary),
        "intervals": intervals,
        "rows_scored": len(first),
        "rows_left_out": left_out,
        "best": [each.model_dump() for each in best],
        "worst": [each.model_dump() for each in worst],
        **facts,
    }
    saving.report(job.folder, report)


def _remarks(scores: Sequence[Score]) -> list[Told]:
    if len(scores) <= results.SCORES_MAX:
        return []
    text = _("There are %(count)s scores; the first %(most)s are shown, the report has all.")
    return [evaluation.told(Sentence(text, count=len(scores), most=results.SCORES_MAX))]
