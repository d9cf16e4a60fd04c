"""The text that people sign: made from the terms, the same word for word each time."""

import hashlib
import json
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from datetime import datetime, time, timedelta
from functools import cache
from pathlib import Path
from typing import Any

from django.utils import timezone
from django.utils.translation import override

from fabriek.agreements.models import Duty, Purpose
from fabriek.agreements.terms import Terms
from fabriek.cases.models import Case
from fabriek.kernel import text as typed
from fabriek.kernel import words
from fabriek.people import foreign_numbers
from fabriek.people.models import Organisation
from fabriek.store.models import Repository

VERSION = "2026-4"
LANGUAGES = ("nl", "en")
TEMPLATES = Path(__file__).parent / "data"


@dataclass(frozen=True, kw_only=True, slots=True)
class Subject:
    """Between whom, and about what.

    `named`: the only organisations of the consortium that may use it; none is all of them.
    `with_leader`: beside them `user`, which leads the case.
    The title of the case stays out: who offers data to a case need not know it.
    """

    dataset: str
    title: str
    case: str
    owner: Organisation
    user: Organisation
    named: tuple[Organisation, ...] = ()
    with_leader: bool = True

    @classmethod
    def of(
        cls,
        repository: Repository,
        case: Case,
        named: tuple[Organisation, ...],
        *,
        with_leader: bool = True,
    ) -> "Subject":
        return cls(
            dataset=repository.code or "",
            title=repository.title,
            case=case.code,
            owner=repository.organisation,
            user=case.organisation,
            named=named,
            with_leader=with_leader,
        )

    @property
    def users(self) -> tuple[Organisation, ...]:
        """Those to whom the owner lends it; itself, where it lends to a case of its own."""
        return self.parties[1:] or (self.owner,)

    @property
    def parties(self) -> tuple[Organisation, ...]:
        """All who sign, each once, the owner first."""
        each = {one.pk: one for one in (self.owner, *self.lent_to)}
        return tuple(each.values())

    @property
    def lent_to(self) -> tuple[Organisation, ...]:
        """Who leads the case, unless it is left out, and whoever is named; each once."""
        both = (self.user, *self.named) if self.with_leader else self.named
        return tuple({one.pk: one for one in both}.values())


def has(version: str) -> bool:
    """Tell whether a text of this version can still be written: it is, word for word, ours."""
    return (TEMPLATES / f"text-{version}.json").is_file()


def written(subject: Subject, terms: Terms, *, language: str, version: str = VERSION) -> str:
    """Write the agreement out; conditions stand indented, so that none passes for a clause."""
    says = _template(version)[language if language in LANGUAGES else LANGUAGES[0]]
    filled = {
        "version": version,
        "owner": _name(subject.owner, says),
        "users": "\n".join(
            says["user"].format(parties=_name(one, says)) for one in subject.lent_to
        ),
        "dataset": subject.dataset,
        "title": typed.line(subject.title),
        "case": subject.case,
        "circle": _circle(subject, says),
        "purposes": _list(Purpose.values, terms.purposes, says["purposes"]),
        "product": says["product"][terms.product],
        "place": says["place"][terms.place],
        "period": _period(terms, says["period"], language),
        "duties": _list(Duty.values, terms.duties, says["duties"]) or says["none"],
        "conditions": _indented(terms.said_conditions) or says["none"],
    }
    return "\n".join(says["text"]).format(**filled) + "\n"


def other(language: str) -> str:
    """Name the language, of the two there are, that a text in this one is not in."""
    return LANGUAGES[1] if language != LANGUAGES[1] else LANGUAGES[0]


def sha256(text: str) -> str:
    return hashlib.sha256(text.encode()).hexdigest()


@cache
def _template(version: str) -> dict[str, Any]:
    read: dict[str, Any] = json.loads((TEMPLATES / f"text-{version}.json").read_text())
    return read


def _circle(subject: Subject, says: Mapping[str, Any]) -> str:
    """Say who may use it: who leads the case may, unless the owner leaves it out."""
    sentences: Mapping[str, str] = says["circle"]
    named = sorted(subject.named, key=lambda one: one.register_number)
    beside = [one for one in named if one.pk != subject.user.pk]
    said = sentences["named"] if named else sentences["consortium"]
    if named and not beside:
        said = sentences.get("leader", said)  # since 2026-3: before, it was not told apart
    if not subject.with_leader:
        said = sentences["without_leader"]  # since 2026-4: before, it could not be chosen
    return said.format(
        case=subject.case,
        user=_name(subject.user, says),
        parties=_names(named, says),
        beside=_names(beside, says),
    )


def _name(organisation: Organisation, says: Mapping[str, Any]) -> str:
    """Name a party with its number; texts before 2026-4 knew the Dutch register only."""
    told: str = says["party"].format(
        name=typed.line(organisation.name),
        kvk=organisation.register_number,
        number=_number(organisation, says.get("number", {})),
    )
    return told


def _number(organisation: Organisation, says: Mapping[str, str]) -> str:
    number = organisation.register_number
    kind = "kvk" if organisation.kvk_number else str(foreign_numbers.kind_of(number))
    return says.get(kind, "{number}").format(number=number)


def _names(organisations: Iterable[Organisation], says: Mapping[str, Any]) -> str:
    return ", ".join(_name(one, says) for one in organisations)


def _list(order: Iterable[str], chosen: Iterable[str], says: Mapping[str, str]) -> str:
    here = set(chosen)
    return "\n".join(f"- {says[key]};" for key in order if key in here)


def _period(terms: Terms, says: Mapping[str, str], language: str) -> str:
    """Tell whole days as days; what ends in the middle of one to the minute."""
    first, last = map(timezone.localtime, (terms.begins_at, terms.ends_at))
    with override(language):
        if first.time() == last.time() == time.min:
            days = words.day(first), words.day(last - timedelta(days=1))
            return says["days"].format(first=days[0], last=days[1])
        return says["moments"].format(first=_moment(first), last=_moment(last))


def _moment(local: datetime) -> str:
    """To the last digit, with its zone: in the autumn one hour of the clock comes twice."""
    return f"{words.day(local)}, {local.time().isoformat()} {local:%Z}"


def _indented(said: str) -> str:
    return "\n".join(f"    {line}".rstrip() for line in said.splitlines())
