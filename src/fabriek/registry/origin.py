"""Where a model comes from: the chain from the model back to the case, and that of its base."""

from dataclasses import dataclass

from django.urls import reverse
from django.utils.translation import gettext as _
from django.utils.translation import gettext_lazy

from fabriek.kernel import words
from fabriek.people.models import Person
from fabriek.registry import licences, queries
from fabriek.registry.models import Model
from fabriek.runs import inputs as of_runs
from fabriek.runs import offers
from fabriek.runs.models import Run, RunInput
from fabriek.store.models import Revision
from fabriek.store.references import written
from fabriek_recipes.recipe import catalogue

# A model that was made from a model that was made from a model ...: further back than this
# nobody looks on one page, and each has a page of its own.
DEPTH = 4
KNOBS_SHOWN = 4
HIDDEN = gettext_lazy("data you may not see")
WHY_HIDDEN = gettext_lazy("Its agreement is for other organisations of this case.")


@dataclass(frozen=True, kw_only=True, slots=True)
class Item:
    label: str
    url: str = ""
    note: str = ""


@dataclass(frozen=True, kw_only=True, slots=True)
class Step:
    """One step back; `name` is for programs, `kind` for people."""

    name: str
    kind: str
    items: tuple[Item, ...]


@dataclass(frozen=True, kw_only=True, slots=True)
class Chain:
    """The way of one model, from the model back to the case it was made for."""

    model: Model
    steps: tuple[Step, ...]


@dataclass(frozen=True, kw_only=True, slots=True)
class Input:
    """What a run worked on, and whether who asks may know what that is."""

    row: RunInput
    is_known: bool


def chains(model: Model, person: Person) -> list[Chain]:
    """Tell the origin of `model`, then of its base model, and so on.

    `model` comes from `queries.shown`. Costs one query for all inputs, one a base model, and
    one where data of others was used: of what this person may not see no more is told than
    that it is there. What belongs to a case of others is not told: an open model stands by
    itself.
    """
    line = [model]
    while len(line) < DEPTH and _is_told(line[-1]) and (base := line[-1].base_id):
        rows = queries.with_origin(Model.objects.filter(pk=base), person)
        line.append(queries.told(rows).get())
    inputs = inputs_told([one for one in line if _is_told(one)], person)
    return [_chain(one, inputs, person) for one in line if one is model or _is_told(one)]


def inputs_told(models: list[Model], person: Person) -> dict[int, list[Input]]:
    """Give what the runs of these models of one's own worked on, by the key of the run."""
    runs = [one.run_id for one in models if one.run_id]
    found = queries.inputs_of(runs) if runs else {}
    rows = [row for rows in found.values() for row in rows]
    cases = {one.case_id for one in models if one.case_id}
    known = of_runs.known_among(rows, person, cases=cases)
    return {
        run: [Input(row=row, is_known=row.pk in known) for row in rows]
        for run, rows in found.items()
    }


def _is_told(model: Model) -> bool:
    return bool(model.is_ours)  # type: ignore[attr-defined]


def _chain(model: Model, inputs: dict[int, list[Input]], person: Person) -> Chain:
    steps = [Step(name="model", kind=_("Model"), items=(_model_item(model),))]
    if model.run is None:
        steps.append(_brought_in(model))
    elif _is_told(model):
        steps += _made(model, model.run, inputs[model.run.pk], person)
    return Chain(model=model, steps=tuple(steps))


def _made(model: Model, run: Run, inputs: list[Input], person: Person) -> list[Step]:
    application = run.allocation.decision.application
    steps = [
        Step(name="run", kind=_("Run"), items=(_run_item(run, person),)),
        Step(name="inputs", kind=_("Learned from"), items=tuple(map(_input_item, inputs))),
        Step(name="allocation", kind=_("GPU-hours"), items=(_allocation_item(run),)),
        Step(
            name="application",
            kind=_("Application"),
            items=(Item(label=application.code, url=application.get_absolute_url()),),
        ),
    ]
    if model.case:
        organisation = model.case.organisation.name
        case = Item(
            label=model.case.title,
            url=model.case.get_absolute_url(),
            note=f"{model.case.code} · {organisation}",
        )
        steps.append(Step(name="case", kind=_("Case"), items=(case,)))
    return [step for step in steps if step.items]


def _brought_in(model: Model) -> Step:
    owner = model.repository.organisation.name
    return Step(
        name="organisation",
        kind=_("Brought in by"),
        items=(Item(label=owner, note=words.day(model.registered_at)),),
    )


def _model_item(model: Model) -> Item:
    return Item(
        label=model.title,
        url=model.get_absolute_url(),
        note=f"{model.code} · {licences.label(model.licence)}",
    )


def _run_item(run: Run, person: Person) -> Item:
    recipe = catalogue().get(run.recipe)
    title = _(recipe.title) if recipe else run.recipe
    if not run.is_meant_for(person):
        return Item(label=run.code, url=run.get_absolute_url(), note=title)
    changed = "; ".join(f"{name}: {value}" for name, value in changed_knobs(run).items())
    return Item(
        label=run.code,
        url=run.get_absolute_url(),
        note=f"{title} · {changed}" if changed else title,
    )


def changed_knobs(run: Run) -> dict[str, str]:
    """Give the settings that somebody chose, in the recipe's words: not the recipe's own."""
    changed = {
        knob.title: knob.said(value)
        for knob, value in offers.chosen(run.recipe, run.knobs)
        if knob.default != value
    }
    return dict(list(changed.items())[:KNOBS_SHOWN])


def _input_item(used: Input) -> Item:
    if not used.is_known:
        return Item(label=str(HIDDEN), note=str(WHY_HIDDEN))
    revision = used.row.revision
    if (base := getattr(revision.repository, "model", None)) is not None:
        return Item(
            label=base.title,
            url=base.get_absolute_url(),
            note=_("%(code)s · base model") % {"code": base.code},
        )
    return _data_item(revision)


def _data_item(revision: Revision) -> Item:
    repository = revision.repository
    url = reverse("datasets:revision", args=[repository.code, revision.number])
    return Item(
        label=repository.title or str(repository.code),
        url=url if hasattr(repository, "dataset") else "",
        note=_("%(reference)s · %(files)s, SHA-256 %(digest)s…")
        % {
            "reference": written(revision),
            "files": words.size(revision.size_bytes),
            "digest": revision.digest[:8],
        },
    )


def _allocation_item(run: Run) -> Item:
    used = words.gpu_hours(run.gpu_seconds_used or 0)
    granted = words.gpu_hours(run.allocation.gpu_seconds_granted)
    return Item(
        label=run.allocation.account,
        url=run.allocation.get_absolute_url(),
        note=_("%(used)s of %(granted)s") % {"used": used, "granted": granted},
    )
