"""What a model was made of, as far as one reader may know: its papers are written from it."""

from collections.abc import Sequence
from dataclasses import dataclass

from django.conf import settings
from django.urls import reverse
from django.utils import translation

from fabriek.machine import drawn
from fabriek.people.models import Person
from fabriek.registry import card, origin, queries
from fabriek.registry.models import Model
from fabriek.registry.origin import Input
from fabriek.runs.energy import Energy
from fabriek.store.models import Repository
from fabriek.store.references import written


@dataclass(frozen=True, kw_only=True, slots=True)
class Part:
    """A revision of a dataset, or a base model. `digest` is the SHA-256 of its listing."""

    reference: str
    title: str
    url: str
    licence: str
    digest: str = ""
    has_personal_data: bool = False


@dataclass(frozen=True, kw_only=True, slots=True)
class Composition:
    """`hidden` counts what it was made of and this reader may not know.

    `is_told`: the reader is of its case; else what it learned from is not told at all.
    """

    model: Model
    url: str
    maker: str
    datasets: Sequence[Part]
    base: Part | None
    hidden: int
    is_told: bool
    energy: Energy | None

    @property
    def reference(self) -> str:
        return f"{self.model.code}@{self.model.revision.number}"

    @property
    def is_whole(self) -> bool:
        return self.is_told and not self.hidden

    @property
    def flop(self) -> float | None:
        return card.number(self.model.facts.get("flop_estimate"))

    @property
    def base_flop(self) -> float | None:
        return card.number(self.model.facts.get(card.BASE_FLOP))


def of(model: Model, person: Person) -> Composition:
    """Tell it to `person`; `model` comes from `queries.shown`."""
    is_told = bool(model.is_ours)  # type: ignore[attr-defined]
    used = origin.inputs_told([model] if is_told else [], person).get(model.run_id or 0, [])
    known = [one for one in used if one.is_known]
    case = model.case
    return Composition(
        model=model,
        url=address(model.get_absolute_url()),
        maker=case.organisation.name if case else model.repository.organisation.name,
        datasets=[_dataset(one) for one in known if _is_dataset(one)],
        base=_base(model, known, person),
        hidden=len(used) - len(known),
        is_told=is_told and model.run_id is not None,
        energy=_energy(model),
    )


def address(path: str) -> str:
    """Give the whole address of a page of ours, as readers elsewhere need it."""
    return f"{settings.FACTORY_URL}{path}"


def _is_dataset(used: Input) -> bool:
    repository = used.row.revision.repository
    return repository.kind == Repository.Kind.DATASET and hasattr(repository, "dataset")


def _dataset(used: Input) -> Part:
    revision = used.row.revision
    dataset = revision.repository.dataset
    page = reverse("datasets:revision", args=[revision.repository.code, revision.number])
    return Part(
        reference=written(revision),
        title=revision.repository.title or dataset.code,
        url=address(page),
        licence=dataset.licence,
        digest=revision.digest,
        has_personal_data=dataset.has_personal_data,
    )


def _base(model: Model, known: Sequence[Input], person: Person) -> Part | None:
    """Name the base, with the revision that was used where the run may be told."""
    base = queries.base_told(model, person)
    if base is None:
        return None
    used = [one.row.revision for one in known]
    revision = next((r for r in used if r.repository_id == base.repository_id), None)
    return Part(
        reference=written(revision) if revision else base.code,
        title=base.title,
        url=address(base.get_absolute_url()),
        licence=base.licence,
        digest=revision.digest if revision else "",
    )


def _energy(model: Model) -> Energy | None:
    """Say it in the language of papers."""
    with translation.override(card.LANGUAGE):
        return drawn.of_line(model.run) if model.run else None
