"""The routes of experiments."""

from collections.abc import Iterable

from django.db.models import Exists, OuterRef, QuerySet

from fabriek.cases.models import Case
from fabriek.runs.models import Run
from fabriek.tracking import actions, answers, filters, refusals, shapes
from fabriek.tracking.answers import Words
from fabriek.tracking.doors import Caller
from fabriek.tracking.models import Experiment

SHOWN_MAX = 1_000
FIRST = "0"  # in which a program logs that chose none


def create(who: Caller, words: Words) -> Words:
    made = actions.make_experiment(answers.text(words, "name"), by=who)
    return {"experiment_id": str(made.pk)}


def get(who: Caller, words: Words) -> Words:
    number = answers.text(words, "experiment_id")
    if number.startswith(shapes.RUNS_OF):
        case = case_with_runs(who, number)
        return {"experiment": shapes.experiment_of_the_factory(case.code)}
    return {"experiment": shapes.experiment(find(who, number))}


def get_by_name(who: Caller, words: Words) -> Words:
    name = answers.text(words, "experiment_name")
    code, _slash, rest = name.partition("/")
    if rest == actions.OF_THE_FACTORY:
        case = case_with_runs(who, f"{shapes.RUNS_OF}{code}")
        return {"experiment": shapes.experiment_of_the_factory(case.code)}
    found = experiments(who).filter(name=name).first()
    if found is None:
        raise refusals.no_experiment()
    return {"experiment": shapes.experiment(found)}


def search(who: Caller, words: Words) -> Words:
    asked = filters.conditions(str(words.get("filter") or ""))
    if any(one.kind != "attributes" or one.name != "run_name" for one in asked):
        raise refusals.by_name_only()
    first = answers.number(words, "page_token", otherwise=0, most=10**9)
    most = answers.number(words, "max_results", otherwise=SHOWN_MAX, most=SHOWN_MAX)
    kept = [
        one
        for one in _all(who)
        if all(c.holds({"attributes": {"run_name": one["name"]}}) for c in asked)
    ]
    page = kept[first : first + most]
    more = {"next_page_token": str(first + most)} if first + most < len(kept) else {}
    return {"experiments": page} | more


def _all(who: Caller) -> Iterable[shapes.Json]:
    for one in experiments(who).order_by("-pk"):
        yield shapes.experiment(one)
    for case in cases(who).order_by("-pk"):
        yield shapes.experiment_of_the_factory(case.code)


def find(who: Caller, number: str) -> Experiment:
    """Find an experiment of the caller's cases by its number. Raises: Absent, Wrong."""
    if number == FIRST:
        raise refusals.none_chosen()
    is_number = number.isdecimal() and len(number) < 18  # noqa: PLR2004  what a key can be
    rows = experiments(who).select_related("case")
    found = rows.filter(pk=int(number)).first() if is_number else None
    if found is None:
        raise refusals.no_experiment()
    return found


def case_with_runs(who: Caller, number: str) -> Case:
    """Find the case of which an experiment holds the factory's own runs. Raises: Absent."""
    case = cases(who).filter(code=number.removeprefix(shapes.RUNS_OF)).first()
    if case is None:
        raise refusals.no_experiment()
    return case


def experiments(who: Caller) -> QuerySet[Experiment]:
    rows = Experiment.objects.inside(who.person)
    return rows.none() if who.run else rows


def cases(who: Caller) -> QuerySet[Case]:
    """Keep cases that have runs; of a job the case of its run."""
    if who.run:
        return Case.objects.filter(pk=who.run.case_id)
    rows = Case.objects.taken_part_in_by(who.person)
    return rows.filter(Exists(Run.objects.filter(case=OuterRef("pk"))))
