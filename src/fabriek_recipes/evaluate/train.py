"""Scores: reads questions, asks each model, and leaves scores with intervals; no model."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from fabriek_recipes import evaluation
from fabriek_recipes.evaluate import results
from fabriek_recipes.evaluate.asking import Asked, Manner
from fabriek_recipes.evaluate.knobs import MODELS, Knobs
from fabriek_recipes.evaluate.questions import Question, of_rows, of_task
from fabriek_recipes.evaluate.sitting import Sitting
from fabriek_recipes.evaluate.task_files import Unusable, task_files
from fabriek_recipes.evaluate.tasks import Task, read_task
from fabriek_recipes.evaluation import Evaluation, Score, Told
from fabriek_recipes.events import Json
from fabriek_recipes.training import refusals, saving
from fabriek_recipes.training.parts import Parts
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
    """Run the recipe in the job's folder; it goes on behind what was asked before a stop."""
    clock = Clock()
    device = choose_device(job)
    job.events.stage(_("Reading the rows"))
    exams = _exams(job)
    facts: dict[str, Json] = {"device": device.type}
    told: dict[str, list[Asked]] = {}
    parts = Parts(job)
    names = [name for name in MODELS if name in job.manifest.inputs]
    count = _Count(job, sum(len(exam.questions) for exam in exams) * len(names))
    for name in names:
        job.stop.check()
        sitting = Sitting(job, name, parts, device)
        told[name] = _asked_of(job, name, exams, sitting, count)
        facts[f"chat_template_sha256_of_{name}"] = sitting.template
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


class _Count:
    """Tells how many questions were asked, of all models together."""

    def __init__(self, job: Job[Knobs], total: int) -> None:
        self._job, self._done, self._total = job, 0, total

    def add(self, rows: int) -> None:
        self._done += rows
        self._job.events.progress(self._done, self._total, "rows")


def _asked_of(
    job: Job[Knobs], name: str, exams: Sequence[Exam], sitting: Sitting, count: _Count
) -> list[Asked]:
    found = []
    for number, exam in enumerate(exams):
        manner = _manner(job.knobs, exam.task, sitting.context)
        asked = sitting.asked(number, exam.questions, manner, count.add)
        if not asked.answered:
            raise refusals.beyond_context(manner.context)
        if asked.left_out:
            lines = [each.line for each in asked.left_out]
            job.events.warning("rows_left_out", refusals.too_long(lines, manner.context))
        for each in asked.answered[:SAMPLES_SHOWN] if name == MODELS[0] else ():
            job.events.sample(each.question.asked, each.target, each.said, "after")
        found.append(asked)
    return found


def _manner(knobs: Knobs, task: Task | None, context: int) -> Manner:
    if task is None:
        return Manner(kind="generate", tokens_max=knobs.answer_tokens_max, context=context)
    return Manner(
        kind=task.kind,
        tokens_max=min(knobs.answer_tokens_max, task.tokens_max or knobs.answer_tokens_max),
        context=context,
        until=task.until or _ends(knobs, task),
        ignores_case=task.ignores_case,
        ignores_punctuation=task.ignores_punctuation,
    )


def _ends(knobs: Knobs, task: Task) -> tuple[str, ...]:
    """End an answer where the next example would begin, as lm-eval does; a chat ends itself."""
    return (task.between,) if task.between and knobs.asking == "as_is" else ()


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
