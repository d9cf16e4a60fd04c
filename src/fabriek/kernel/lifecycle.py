"""State machines as tables: the whole life of a thing can be read in one place."""

from collections.abc import Iterable
from dataclasses import dataclass

from django.contrib.auth.base_user import AbstractBaseUser
from django.db import models, transaction
from django.utils.translation import gettext as _

from fabriek.kernel import journal
from fabriek.kernel.errors import WrongState


@dataclass(frozen=True)
class Step:
    """A named move from any of `sources` to `target`."""

    name: str
    sources: frozenset[str]
    target: str


class Lifecycle:
    """The steps one kind of thing can take; the only code that writes its `state`."""

    def __init__(self, *steps: tuple[str, Iterable[str], str]) -> None:
        self.steps = {name: Step(name, frozenset(src), dst) for name, src, dst in steps}

    def open_from(self, state: str) -> list[str]:
        return [step.name for step in self.steps.values() if state in step.sources]

    def take(
        self,
        name: str,
        thing: models.Model,
        *,
        by: AbstractBaseUser | None,
        details: dict[str, object] | None = None,
        **changes: object,
    ) -> None:
        """Move `thing` one step and write it in the journal, or change nothing.

        The UPDATE is guarded by the state that was read, so of two racing callers one wins
        and the other is refused; no lock is held. `changes` are columns that move with it.

        Raises:
            WrongState: the step is not open from here, or somebody else moved it first.
        """
        step = self.steps[name]
        came_from: str = thing.state  # type: ignore[attr-defined]
        if came_from not in step.sources:
            raise WrongState(_not_open(thing))
        rows = type(thing)._default_manager.filter(pk=thing.pk, state=came_from)
        verb = f"{thing._meta.app_label}.{name}"
        moved = {"came_from": came_from, "went_to": step.target} | (details or {})
        with transaction.atomic():
            if not rows.update(state=step.target, **changes):
                raise WrongState(_overtaken(thing))
            journal.record(verb, thing, by=by, **moved)
        for column, value in changes.items():
            setattr(thing, column, value)
        thing.state = step.target  # type: ignore[attr-defined]


def _not_open(thing: models.Model) -> str:
    state = thing.get_state_display()  # type: ignore[attr-defined]
    return _(
        "This cannot be done now: %(thing)s stands at “%(state)s”. "
        "Open its page again to see what can be done next."
    ) % {"thing": thing, "state": state}


def _overtaken(thing: models.Model) -> str:
    return _(
        "Somebody else changed %(thing)s a moment ago, so nothing was done. "
        "Open its page again to see where it stands."
    ) % {"thing": thing}
