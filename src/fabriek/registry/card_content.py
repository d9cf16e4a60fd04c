"""What a card tells of the content a model was trained on, in the order the AI Act asks for.

The headings are those of the Commission's template for the public summary of training content
(C(2025) 8311, for Article 53(1)(d) of Regulation (EU) 2024/1689). What the factory does not
know, it says that it does not know.
"""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass

UNKNOWN = "Not known to the factory."


@dataclass(frozen=True, kw_only=True, slots=True)
class Content:
    """`public`, `lent` and `own` are lines that name a dataset each, written for a card."""

    provider: str
    model: str
    made_on: str
    kind: str
    public: Sequence[str]
    lent: Sequence[str]
    own: Sequence[str]
    base: str
    rows: object = None
    tokens: object = None
    has_personal_data: bool = False


def section(content: Content) -> str:
    """Write the summary."""
    return "\n\n".join(
        [
            "## Public summary of training content",
            "In the order of the European Commission's template. The AI Act asks it of those "
            "who offer a general-purpose model; the factory wrote it from what it keeps, and "
            "whoever offers the model should complete it.",
            *_general(content),
            *_sources(content),
            *_processing(content),
        ]
    )


def _general(content: Content) -> Iterable[str]:
    yield "### 1. General information"
    size = [f"{count:,} {unit}" for count, unit in _counted(content)]
    yield _list(
        [
            f"Provider: {content.provider}",
            f"Model: {content.model}, trained on {content.made_on}",
            f"Built on: {content.base}",
            f"What it does: {content.kind}",
            f"Size of the training data: {', '.join(size) or UNKNOWN}",
        ]
    )


def _counted(content: Content) -> Iterable[tuple[int, str]]:
    for count, unit in ((content.rows, "rows"), (content.tokens, "tokens seen")):
        if isinstance(count, int) and not isinstance(count, bool):
            yield count, unit


def _sources(content: Content) -> Iterable[str]:
    yield "### 2. List of data sources"
    inside = "of what stands in the datasets named here, nothing more is known to the factory"
    yield "2.1 Publicly available datasets"
    yield _list(content.public or ["None."])
    yield "2.2 Private, not publicly available datasets obtained from third parties"
    yield _list(content.lent or ["None."])
    yield "2.3 Data crawled and scraped from online sources"
    yield _list([f"None by this run; {inside}."])
    yield "2.4 User data"
    yield _list([f"None was collected by the factory; {inside}."])
    yield "2.5 Synthetic data"
    yield _list([f"None was made in this run; {inside}."])
    yield "2.6 Other sources: data of the makers themselves"
    yield _list(content.own or ["None."])


def _processing(content: Content) -> Iterable[str]:
    yield "### 3. Data processing aspects"
    personal = "at least one dataset holds" if content.has_personal_data else "no dataset holds"
    yield _list(
        [
            "3.1 Respect of reservations of rights (text and data mining): not checked by the "
            "factory; the licences above are what the owners gave",
            "3.2 Removal of illegal content: not searched for by the factory",
            f"3.3 Other information. Personal data: {personal} it, according to the owners",
            "What the base model learned from: see the card of its makers",
        ]
    )


def _list(lines: Sequence[str]) -> str:
    return "\n".join(f"- {line}" for line in lines)
