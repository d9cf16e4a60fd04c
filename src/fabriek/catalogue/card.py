"""The card of a dataset as the Hugging Face Hub has it: YAML between two lines of `---`."""

import re
from collections.abc import Mapping, Sequence
from typing import Any

import yaml
from django.utils.translation import gettext_lazy as _

from fabriek.catalogue import tongues
from fabriek.catalogue.told import Told
from fabriek.catalogue.vocabulary import LICENCE_ON_THE_HUB
from fabriek.datasets.models import Licence
from fabriek.kernel.errors import Text
from fabriek.store import front_matter
from fabriek.store.front_matter import FENCE

Card = front_matter.Card
read = front_matter.read
NAME = front_matter.README
LONGEST_README_BYTES = front_matter.LONGEST_README_BYTES
LONGEST_TITLE = 200
HEADING = re.compile(r"^#+\s*(.*?)\s*#*$")
PROBLEMS: dict[str, Text] = {
    "not_text": _("README.md is no text in UTF-8. Save it as UTF-8 and send it again."),
    "too_long": _("README.md, or the YAML at its top, is too long to read. Make it shorter."),
    "not_closed": _(
        "README.md begins with “---”, but no second “---” closes the YAML. Add that line."
    ),
    "not_yaml": _(
        "The YAML at the top of README.md cannot be read. Look at the indents and quotes; "
        "signs such as &, * and ! make references and tags, which are not read."
    ),
    "no_names": _(
        "The YAML at the top of README.md is no list of names with values, such as "
        "“license: cc-by-4.0”."
    ),
}


class PlainDumper(yaml.SafeDumper):
    """Writes lists below each other without aliases, as people do by hand."""

    def ignore_aliases(self, data: object) -> bool:  # noqa: ARG002
        return True


def written(told: Told, old: Card) -> str:
    """Write the card anew: what the record knows, then all else that stood there."""
    ours = _matter(told)
    kept = {name: value for name, value in old.matter.items() if name not in ours}
    if "license" in ours and ours["license"] != "other":
        kept = {name: kept[name] for name in kept if not name.startswith("license_")}
    front = yaml.dump(
        ours | kept, Dumper=PlainDumper, sort_keys=False, allow_unicode=True, width=96
    )
    body = old.body if old.body.strip() else _body(told)
    gap = "" if body.startswith("\n") else "\n"
    return f"{FENCE}\n{front}{FENCE}\n{gap}{body}"


def _matter(told: Told) -> dict[str, Any]:
    known = LICENCE_ON_THE_HUB.get(Licence(told.licence))
    licence = (
        {"license": known} if known else {"license": "other", "license_name": told.licence}
    )
    wanted = {
        "pretty_name": told.title,
        "language": list(told.languages),
        **licence,
        "tags": list(told.keywords),
        "task_categories": list(told.tasks),
    }
    return {name: value for name, value in wanted.items() if value}


def _body(told: Told) -> str:
    lines = [f"# {told.title}", *told.texts.values()]
    if told.how_collected:
        lines += ["## How it was collected", told.how_collected]
    if told.source:
        lines += ["## Source", told.source]
    owner = f"Owner: {told.owner}." + (f" Made by: {told.maker}." if told.maker else "")
    lines += ["## Who", owner]
    if told.has_personal_data:
        lines.append("It contains personal data.")
    return "\n\n".join(lines) + "\n"


# --- what a README tells the record --------------------------------------------------------
def facts(card: Card) -> dict[str, Any]:
    """Give what stands in the YAML under the names of a record's columns.

    Title and text stand in the columns of the language that they are written in.
    """
    matter = card.matter
    languages = _texts(matter.get("language"))
    said = [each.partition("-")[0].lower() for each in languages]
    texts = tongues.apart(first_words(card.body), said=said)
    title = _text(matter.get("pretty_name"))[:LONGEST_TITLE]
    found: dict[str, Any] = {
        f"title_{_language_of(title, texts, said)}": title,
        "languages": languages,
        "keywords": _texts(matter.get("tags")),
        "tasks": _texts(matter.get("task_categories")),
        **{f"text_{language}": text for language, text in texts.items()},
    }
    return {name: value for name, value in found.items() if value}


def _language_of(title: str, texts: Mapping[str, str], said: Sequence[str]) -> str:
    """Take that of the text below it where that is in one; few titles tell theirs."""
    if len(texts) == 1:
        return next(iter(texts))
    return next(iter(tongues.apart(title, said=said)), tongues.ENGLISH)


def licence_of(matter: Mapping[str, Any]) -> str:
    """Name the licence in our words; empty where the card says none."""
    said = _text(matter.get("license")).lower()
    if not said:
        return ""
    for ours, theirs in LICENCE_ON_THE_HUB.items():
        if said == theirs:
            return str(ours)
    # The Hub reads that name beside "other" only; else it is left over from an earlier licence.
    named = _text(matter.get("license_name")) if said == "other" else ""
    return named if named in Licence.values else str(Licence.OTHER)


def first_words(body: str) -> str:
    """Give the paragraphs before the second heading: what people write there is what it is."""
    kept: list[str] = []
    headings = 0
    for line in body.splitlines():
        if HEADING.match(line):
            headings += 1
            if headings > 1 and any(kept):
                break
            continue
        kept.append(line)
    return "\n".join(kept).strip()[:5000]


def _text(value: object) -> str:
    """Give a text as one line; all else is not what the Hub asks there."""
    return " ".join(value.split()) if isinstance(value, str) else ""


def _texts(value: object) -> list[str]:
    """Give words from a list or from a single one, each once."""
    given = value if isinstance(value, list) else [value]
    return list(dict.fromkeys(filter(None, map(_text, given))))
