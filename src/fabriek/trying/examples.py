"""Questions to begin with: rows that the model was scored on, or what its card proposes."""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass

import yaml

from fabriek.people.models import Person
from fabriek.registry import bound
from fabriek.registry.models import Model
from fabriek.runs import folders, inputs, made, samples
from fabriek.runs import rules as run_rules
from fabriek.runs.models import Run
from fabriek.store.shown_card import FRONT_MATTER

SHOWN_MAX = 3
CHARACTERS_MAX = 4_000
CARD_CHARACTERS_MAX = 20_000


@dataclass(frozen=True, kw_only=True, slots=True)
class Example:
    """`expected`: what stands in the row; empty where nobody said."""

    prompt: str
    expected: str = ""


def of(model: Model, person: Person) -> list[Example]:
    """Give at most three, each of rows only to who may read the rows themselves."""
    found = [*_rows(model, person)] or [*_card(model, person)]
    return list(dict.fromkeys(found))[:SHOWN_MAX]


def _rows(model: Model, person: Person) -> Iterator[Example]:
    """Give rows that were answered wrongly, else those it was shown while it learned."""
    runs = Run.objects.select_related("case").filter(model=model)
    run = runs.first()
    if run is None or not _may_read(run, person):
        return
    wrong = folders.report(run).get("wrong")
    for row in wrong if isinstance(wrong, list) else ():
        if isinstance(row, Mapping) and (prompt := _text(row.get("prompt"))):
            yield Example(prompt=prompt, expected=_text(row.get("expected")))
    for one in samples.latest(run, person):
        yield Example(prompt=one.prompt, expected=one.expected)


def _may_read(run: Run, person: Person) -> bool:
    sees = run_rules.may_see_inside(person, run) and run_rules.has_log_to_see(run)
    return sees and not inputs.is_lent(run) and made.may_read_rows(run, person)


def _card(model: Model, person: Person) -> Iterator[Example]:
    """Give what stands under `widget`, where cards of the Hugging Face Hub have examples."""
    if not bound.tells(model, person):
        return
    found = FRONT_MATTER.match(model.card[:CARD_CHARACTERS_MAX])
    try:
        told = yaml.safe_load(found.group().strip().strip("-.")) if found else None
    except (yaml.YAMLError, ValueError, RecursionError):
        return
    rows = told.get("widget") if isinstance(told, Mapping) else None
    for row in rows if isinstance(rows, list) else ():
        text = row.get("text") if isinstance(row, Mapping) else None
        if prompt := _text(text):
            yield Example(prompt=prompt)


def _text(value: object) -> str:
    return value.strip()[:CHARACTERS_MAX] if isinstance(value, str) else ""
