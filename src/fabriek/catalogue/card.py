"""The card of a dataset as the Hugging Face Hub has it: YAML between two lines of `---`.

Read with a loader that makes plain values only, follows no alias (a few bytes of those can
mean gigabytes), knows no tags, and takes `no` for the word it is, not for false.
"""

import re
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

import yaml
from django.utils.translation import gettext_lazy as _

from fabriek.catalogue.told import Told
from fabriek.catalogue.vocabulary import LICENCE_ON_THE_HUB
from fabriek.datasets.models import Licence
from fabriek.kernel.errors import Text

NAME = "README.md"
LONGEST_MATTER = 64 * 1024
LONGEST_README_BYTES = 2**20
DEEPEST = 20
FENCE = "---"
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


@dataclass(frozen=True, kw_only=True, slots=True)
class Card:
    """`problem` says why the YAML could not be read: its `matter` is empty then."""

    matter: dict[str, Any] = field(default_factory=dict)
    body: str = ""
    problem: str = ""


class PlainLoader(yaml.SafeLoader):
    """Plain values, no aliases, no tags, and only `true` and `false` for truth."""

    def __init__(self, text: str) -> None:
        super().__init__(text)
        self.depth = 0

    def compose_node(self, parent: yaml.Node | None, index: Any) -> yaml.Node | None:  # noqa: ANN401
        if self.check_event(yaml.AliasEvent):
            raise yaml.YAMLError("alias")
        # What a tag such as `!!int` promises, the value need not be.
        event = self.peek_event()  # type: ignore[no-untyped-call]  # stubs leave it bare
        if getattr(event, "tag", None) is not None:
            raise yaml.YAMLError("tag")
        self.depth += 1
        if self.depth > DEEPEST:
            raise yaml.YAMLError("too deep")
        try:
            return super().compose_node(parent, index)
        finally:
            self.depth -= 1


PlainLoader.yaml_implicit_resolvers = {
    first: [(tag, found) for tag, found in resolvers if tag != "tag:yaml.org,2002:bool"]
    for first, resolvers in yaml.SafeLoader.yaml_implicit_resolvers.items()
}
PlainLoader.add_implicit_resolver(
    "tag:yaml.org,2002:bool",
    re.compile(r"^(?:true|True|TRUE|false|False|FALSE)$"),
    list("tTfF"),
)


class PlainDumper(yaml.SafeDumper):
    """Writes lists below each other without aliases, as people do by hand."""

    def ignore_aliases(self, data: object) -> bool:  # noqa: ARG002
        return True


def read(text: str) -> Card:
    """Take a README apart; what cannot be read becomes a problem, and is left as it is."""
    text = text.removeprefix("\ufeff").replace("\r\n", "\n")
    if not text.startswith(f"{FENCE}\n"):
        return Card(body=text)
    matter, closed, body = text[len(FENCE) :].partition(f"\n{FENCE}\n")
    if not closed and matter.rstrip().endswith(f"\n{FENCE}"):
        matter, closed = matter.rstrip().removesuffix(FENCE), FENCE
    if not closed:
        return Card(body=text, problem="not_closed")
    found, problem = _values(matter)
    return Card(matter=found, body=body, problem=problem)


def _values(matter: str) -> tuple[dict[str, Any], str]:
    """Read the YAML: names with plain values, or the code of what is wrong with it."""
    if len(matter) > LONGEST_MATTER:
        return {}, "too_long"
    try:
        found = yaml.load(matter, Loader=PlainLoader)  # noqa: S506  our own, of the safe one
    except (yaml.YAMLError, RecursionError, ValueError, OverflowError):
        return {}, "not_yaml"
    if found is None:
        return {}, ""
    if not isinstance(found, dict):
        return {}, "no_names"
    return {str(name): value for name, value in found.items()}, ""


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
    """Give what stands in the YAML under the names of a record's columns."""
    matter = card.matter
    found: dict[str, Any] = {
        "title_en": _text(matter.get("pretty_name"))[:200],
        "languages": _texts(matter.get("language")),
        "keywords": _texts(matter.get("tags")),
        "tasks": _texts(matter.get("task_categories")),
        "text_en": first_words(card.body),
    }
    return {name: value for name, value in found.items() if value}


def licence_of(matter: Mapping[str, Any]) -> str:
    """Name the licence in our words; empty where the card says none."""
    said = _text(matter.get("license")).lower()
    if not said:
        return ""
    for ours, theirs in LICENCE_ON_THE_HUB.items():
        if said == theirs:
            return str(ours)
    named = _text(matter.get("license_name"))
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
