"""The YAML at the top of a README.md, between two lines of `---`, as the Hub has it.

Read with a loader that makes plain values only, follows no alias (a few bytes of those can
mean gigabytes), knows no tags, and takes `no` for the word it is, not for false.
"""

import re
from dataclasses import dataclass, field
from typing import Any

import yaml

README = "README.md"
LONGEST_MATTER = 64 * 1024
LONGEST_README_BYTES = 2**20
DEEPEST = 20
FENCE = "---"


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
