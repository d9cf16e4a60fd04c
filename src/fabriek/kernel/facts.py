"""A line of the facts that a page tells of a thing; `parts/_facts.html` shows them."""

from dataclasses import dataclass

from fabriek.kernel.errors import Text


@dataclass(frozen=True, kw_only=True, slots=True)
class Fact:
    label: Text
    value: object
    url: str = ""
    help: Text = ""
