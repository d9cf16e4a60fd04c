"""What a record still lacks for each catalogue it may go to, and how to fill it."""

from collections.abc import Iterable
from dataclasses import dataclass
from enum import StrEnum

from django.urls import reverse
from django.utils.translation import gettext_lazy as _

from fabriek.catalogue.models import Record
from fabriek.kernel.errors import Text
from fabriek.store.models import Revision


class Output(StrEnum):
    """Who reads the record: each asks for other things."""

    DCAT = "dcat"
    CROISSANT = "croissant"
    CARD = "card"


OUTPUTS: dict[Output, tuple[Text, Text]] = {
    Output.DCAT: (
        _("Catalogues of the government and of Europe"),
        _("DCAT-AP-NL 3.0: data.overheid.nl and data.europa.eu read it."),
    ),
    Output.CROISSANT: (
        _("Tools for machine learning"),
        _("Croissant 1.1: TensorFlow, PyTorch and search engines for data read it."),
    ),
    Output.CARD: (
        _("The card that goes with the files"),
        _("README.md as the Hugging Face Hub reads it."),
    ),
}


@dataclass(frozen=True, kw_only=True, slots=True)
class Need:
    """One thing that is asked. `must`: without it that output is not valid; `may`: better."""

    field: str
    how: Text
    must: frozenset[Output] = frozenset()
    may: frozenset[Output] = frozenset()

    def matters_to(self, output: Output) -> bool:
        return output in self.must or output in self.may


DCAT, CROISSANT, CARD = (frozenset({output}) for output in Output)
EVERY = frozenset(Output)
# DCAT-AP-NL 3.0 and Croissant 1.1 as their tables say; the card as the Hub's page about it.
NEEDS = (
    Need(
        field="text",
        how=_("Say in some sentences what is in it and where it comes from."),
        must=DCAT | CROISSANT,
        may=CARD,
    ),
    Need(
        field="theme",
        how=_("Choose the theme that fits best: people find it under that."),
        must=DCAT,
    ),
    Need(
        field="maker",
        how=_("Name who made it: your organisation, or whoever measured or wrote it."),
        must=DCAT | CROISSANT,
    ),
    Need(
        field="contact_name",
        how=_("Name a team or person who answers questions about it."),
        must=DCAT,
    ),
    Need(
        field="contact_email",
        how=_("Give an address that stays when people leave, such as data@your-firm.nl."),
        must=DCAT,
    ),
    Need(
        field="access",
        how=_("Say whether all may use it, or who has an agreement, or nobody."),
        must=DCAT,
        may=CROISSANT,
    ),
    Need(
        field="files",
        how=_("Add the files: without them there is nothing to load."),
        must=CROISSANT | CARD,
        may=DCAT,
    ),
    Need(
        field="languages",
        how=_("Choose the languages that its texts are written in."),
        must=CARD,
        may=DCAT | CROISSANT,
    ),
    Need(
        field="keywords",
        how=_("Give some words that people would search for."),
        may=EVERY,
    ),
    Need(
        field="tasks",
        how=_("Name what models learn from it, such as text-classification."),
        may=CARD,
    ),
    Need(
        field="title_en",
        how=_("Give an English title: catalogues of other countries show it."),
        may=EVERY,
    ),
    Need(
        field="how_collected",
        how=_("Tell how it was collected, so that others can judge whether it fits."),
        may=DCAT,
    ),
    Need(
        field="period",
        how=_("Give the first and the last day that it is about."),
        may=DCAT,
    ),
    Need(field="place", how=_("Name the place or country that it is about."), may=DCAT),
    Need(
        field="frequency",
        how=_("Say how often it is brought up to date."),
        may=DCAT,
    ),
    Need(
        field="landing_page",
        how=_("Give the address of a page about it, if there is one."),
        may=DCAT,
    ),
)
# Needs that are no column of the record by that very name, and where they are filled in.
NAMES: dict[str, Text] = {
    "text": _("text"),
    "files": _("files"),
    "period": _("the days it covers"),
}
PLACES = {"text": "text_nl", "period": "period_from"}


@dataclass(frozen=True, kw_only=True, slots=True)
class Gap:
    """Something that is not filled in; `url` leads to where it is."""

    field: str
    label: str
    how: Text
    url: str
    is_must: bool
    outputs: tuple[Output, ...]

    @property
    def output_labels(self) -> list[str]:
        return [SHORT[output] for output in self.outputs]


SHORT = {Output.DCAT: "DCAT", Output.CROISSANT: "Croissant", Output.CARD: "README"}


@dataclass(frozen=True, kw_only=True, slots=True)
class Standing:
    """How far the record is for one output."""

    output: Output
    label: Text
    about: Text
    filled: int
    asked: int
    missing: tuple[str, ...]  # what must still be filled in

    @property
    def percent(self) -> int:
        return round(100 * self.filled / self.asked)

    @property
    def is_valid(self) -> bool:
        return not self.missing


def gaps(record: Record, revision: Revision | None) -> list[Gap]:
    """List what is missing, what must be there first."""
    found = [
        Gap(
            field=need.field,
            label=_label(need.field),
            how=need.how,
            url=_url(record, need.field),
            is_must=bool(need.must),
            outputs=tuple(output for output in Output if need.matters_to(output)),
        )
        for need in NEEDS
        if not _is_there(record, revision, need.field)
    ]
    return sorted(found, key=lambda gap: not gap.is_must)


def standings(record: Record, revision: Revision | None) -> list[Standing]:
    there = {need.field for need in NEEDS if _is_there(record, revision, need.field)}
    return [_standing(output, there) for output in Output]


def missing_for(record: Record, revision: Revision | None, output: Output) -> list[str]:
    """Name what must be filled in before this output is valid."""
    return [
        need.field
        for need in NEEDS
        if output in need.must and not _is_there(record, revision, need.field)
    ]


def labels(fields: Iterable[str]) -> list[str]:
    return [_label(field) for field in fields]


def place_of(field: str) -> str:
    """Name the column in which this need is filled in."""
    return PLACES.get(field, field)


def _standing(output: Output, there: set[str]) -> Standing:
    asked = [need for need in NEEDS if need.matters_to(output)]
    missing = [need for need in asked if output in need.must and need.field not in there]
    return Standing(
        output=output,
        label=OUTPUTS[output][0],
        about=OUTPUTS[output][1],
        filled=sum(need.field in there for need in asked),
        asked=len(asked),
        missing=tuple(_label(need.field) for need in missing),
    )


def _is_there(record: Record, revision: Revision | None, field: str) -> bool:
    if field == "files":
        return revision is not None
    if field == "text":
        return bool(record.text)
    if field == "period":
        return bool(record.period_from or record.period_until)
    return bool(getattr(record, field))


def _label(field: str) -> str:
    if field in NAMES:
        return str(NAMES[field])
    return str(Record._meta.get_field(field).verbose_name)  # type: ignore[union-attr]


def _url(record: Record, field: str) -> str:
    if field == "files":
        return f"{record.dataset.get_absolute_url()}#add"
    page = reverse("catalogue:record", args=[record.dataset.code])
    return f"{page}#id_{place_of(field)}"
