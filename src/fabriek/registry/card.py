"""The model card: what a model is, what it was made from, what it is worth and what not.

Markdown with the front matter that Hugging Face reads. The card travels with the model, so it
is in English with a Dutch summary, whatever language the page around it has.
"""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field

from fabriek.registry import card_content, card_front, card_scores
from fabriek.registry.card_marks import code as _code
from fabriek.registry.card_marks import inside as _inside
from fabriek.registry.card_marks import line as _line
from fabriek.registry.card_marks import text as _text
from fabriek.registry.scores import Figure

LANGUAGE = card_scores.LANGUAGE

# Regulation (EU) 2024/1689: above this much training compute a model is presumed to be a
# general-purpose one (Commission guidelines of July 2025).
GPAI_FLOP = 1e23
# What a base model that was made here took before, all steps together.
BASE_FLOP = "base_flop_estimate"


@dataclass(frozen=True, kw_only=True, slots=True)
class Source:
    """A dataset or base model: `reference` names the very revision.

    An empty one: it belongs to others, and not all who read this card may know what it is.
    """

    reference: str
    title: str
    digest: str
    licence: str
    has_personal_data: bool = False
    is_open: bool = False
    is_lent: bool = False


@dataclass(frozen=True, kw_only=True, slots=True)
class Setting:
    """What was set: in English words, and as the option of the command line."""

    title: str
    value: str
    option: str


@dataclass(frozen=True, kw_only=True, slots=True)
class CardFacts:
    title: str
    case: str
    case_title: str
    organisation: str
    purpose: str
    recipe: str
    recipe_summary: str
    run: str
    made_on: str
    seed: int
    code_version: str
    licence: str
    settings: Sequence[Setting]
    datasets: Sequence[Source]
    base: Source | None
    scores: Mapping[str, Figure]
    facts: Mapping[str, object] = field(default_factory=dict)
    bounds: Mapping[str, tuple[float, float]] = field(default_factory=dict)
    library_name: str = "transformers"
    pipeline_tag: str = "text-generation"
    gpu_seconds_used: int = 0
    gpu_seconds_estimated: int = 0
    is_continued: bool = False
    energy: str = "not measured"
    terms: Sequence[str] = ()
    chosen: str = ""
    """How its settings were found, in words; empty where somebody simply set them."""
    code: str = ""
    """Where code of one's own came from, in words; empty where a recipe of ours made it."""


def written(facts: CardFacts) -> str:
    """Write the whole card."""
    parts = (
        _front_matter(facts),
        f"# {_line(facts.title)}",
        _summaries(facts),
        card_scores.section(
            facts.scores,
            facts.facts.get("rows_held_out"),
            have_chosen=bool(facts.facts.get(card_scores.CHOSEN)),
            others_chose=facts.facts.get(card_scores.CHOSE_APART),
            is_by_own_code=bool(facts.code),
            bounds=facts.bounds,
        ),
        _origin(facts),
        _making(facts),
        _terms(facts),
        _limits(facts),
        card_content.section(_content(facts)),
    )
    return "\n\n".join(part for part in parts if part) + "\n"


def of_unknown(*, title: str, licence: str) -> str:
    """Write the little that is known of a model that came without a card."""
    front = card_front.matter(card_front.licence(licence))
    return f"{front}\n\n# {_line(title)}\n\nIts makers sent no model card with it.\n"


def _front_matter(facts: CardFacts) -> str:
    meta: dict[str, object] = {
        **card_front.licence(facts.licence),
        **_of_kind(facts),
        "tags": ["fabriek", facts.recipe.replace("_", "-")],
        "datasets": [source.reference for source in facts.datasets if source.reference],
    }
    if facts.base and facts.base.reference:
        meta["base_model"] = facts.base.reference
    return card_front.matter(meta)


def _of_kind(facts: CardFacts) -> dict[str, object]:
    """Say by which library it is used and what it does, as far as that is known."""
    told = {"library_name": facts.library_name, "pipeline_tag": facts.pipeline_tag}
    return {name: value for name, value in told.items() if value}


def _summaries(facts: CardFacts) -> str:
    # Of own code nobody here knows on which rows it was measured.
    gemeten, measured = ("", "") if facts.code else card_scores.measured(facts.scores)
    return (
        f"**In het kort.** Dit model is gemaakt door {_line(facts.organisation)} voor de casus "
        f"“{_line(facts.case_title)}”.{gemeten}\n\n"
        f"**In short.** This model was made by {_line(facts.organisation)} for the case "
        f"“{_line(facts.case_title)}”.{measured}\n\n## What it is for\n\n{_text(facts.purpose)}"
    )


def _origin(facts: CardFacts) -> str:
    lines = [
        f"- Case {facts.case}, run {facts.run}, made on {facts.made_on}",
        f"- Recipe `{facts.recipe}`: {facts.recipe_summary}",
    ]
    if facts.code:
        lines.append(f"- Code: {_line(facts.code)}")
    for source in facts.datasets:
        personal = "contains personal data" if source.has_personal_data else "no personal data"
        lines.append(
            f"- Data: {_named(source)}, licence {_line(source.licence)}, {personal} according "
            "to its owner"
        )
    if facts.base:
        lines.append(f"- Base model: {_named(facts.base)}, licence {_line(facts.base.licence)}")
    elif facts.code:
        lines.append("- Base model: none that the factory gave it; its code may have had one")
    else:
        lines.append("- Base model: none, it was trained from scratch")
    lines.append(
        f"- Licence of this model: {_line(facts.licence)}, derived from the licences above; "
        "this is a rule of thumb and no legal advice"
    )
    return "## Origin\n\n" + "\n".join(lines)


def _named(source: Source) -> str:
    if not source.reference:
        return "of others, lent under an agreement; the README.md of the model names it"
    digest = f"sha256 of its listing `{source.digest}`"
    return f"{_line(source.title)} ({source.reference}, {digest})"


COUNTS = ("parameters_total", "parameters_trained", "rows_trained", "tokens_seen")
# Of runs on plain text.
FIGURES = {
    "tokens_in_text": "Tokens in the text it learned from",
    "passes": "Passes over that text",
    "general_tokens_in_text": "Tokens in the general text that was mixed in",
    "texts_left_out": "Texts left out, as they or their twins are scored on",
    "tokens_per_word": "Tokens for a word with its tokenizer",
    "tokens_per_word_base": "Tokens for a word with the tokenizer of the model compared with",
}


def _making(facts: CardFacts) -> str:
    lines = [
        f"- GPU-hours used: {facts.gpu_seconds_used / 3600:.2f} ({_compared(facts)})",
        f"- Energy used: {facts.energy}",
        f"- Fabriek {facts.code_version}, seed {facts.seed}",
    ]
    lines += [
        f"- {name.replace('_', ' ').capitalize()}: {value:,}"
        for name in COUNTS
        if isinstance(value := facts.facts.get(name), int)
    ]
    lines += [
        f"- {said}: {value:,}"
        for name, said in FIGURES.items()
        if (value := number(facts.facts.get(name))) is not None
    ]
    if compute := _compute(facts.facts.get("flop_estimate"), facts.facts.get(BASE_FLOP)):
        lines.append(compute)
    if facts.chosen:
        lines.append(f"- {facts.chosen}")
    return "## How it was made\n\n" + "\n".join(lines) + _settings(facts)


def _compared(facts: CardFacts) -> str:
    """Compare it with the estimate, which of a run that goes on is of another part of it."""
    if facts.is_continued:
        return "together with the runs that it goes on from"
    return f"estimated before the start: {facts.gpu_seconds_estimated / 3600:.2f}"


def _settings(facts: CardFacts) -> str:
    rows = [
        f"| {_inside(one.title)} | {_inside(one.value)} | {_code(one.option)} |"
        for one in facts.settings
    ]
    head = ["| setting | value | on the command line |", "|---|---|---|"]
    return "\n\n" + "\n".join([*head, *rows]) if rows else ""


def _compute(flop: object, of_base: object) -> str:
    own, base = number(flop), number(of_base)
    if own is None:
        return ""
    presumed = "above" if own + (base or 0) > GPAI_FLOP else "below"
    said = (
        f"that of the base model, about {base:.2g} FLOP as declared for it, is counted with it"
        if base
        else "that of a base model is not declared, and not counted here"
    )
    return (
        f"- Training compute: about {own:.2g} FLOP of our own, {presumed} the 1e23 from which "
        f"the guidelines to the AI Act presume a general-purpose model; {said}"
    )


def number(told: object) -> float | None:
    if isinstance(told, bool) or not isinstance(told, int | float) or told <= 0:
        return None
    return float(told)


def _terms(facts: CardFacts) -> str:
    """Tell what the data it learned from lets one do with it; nothing where nothing binds."""
    if not facts.terms:
        return ""
    lines = "\n".join(f"- {_line(one)}" for one in facts.terms)
    return f"## Under which terms\n\n{lines}"


def _content(facts: CardFacts) -> card_content.Content:
    """Sort the data by whose it is."""

    def named(sources: Iterable[Source]) -> list[str]:
        return [f"{_named(one)}, licence {_line(one.licence)}" for one in sources]

    return card_content.Content(
        provider=_line(facts.organisation),
        model=_line(facts.title),
        made_on=facts.made_on,
        kind=facts.pipeline_tag or card_content.UNKNOWN,
        public=named(one for one in facts.datasets if one.is_open),
        lent=named(one for one in facts.datasets if one.is_lent),
        own=named(one for one in facts.datasets if not one.is_open and not one.is_lent),
        base=_named(facts.base) if facts.base else _no_base(facts),
        rows=facts.facts.get("rows_trained"),
        tokens=facts.facts.get("tokens_seen"),
        has_personal_data=any(one.has_personal_data for one in facts.datasets),
    )


def _no_base(facts: CardFacts) -> str:
    if facts.code:
        return "nothing that the factory gave it; its code may have had something"
    return "nothing, it was trained from scratch"


def _limits(facts: CardFacts) -> str:
    personal = any(source.has_personal_data for source in facts.datasets)
    lines = [
        "The scores say how the model does on data like the data it learned from. They say "
        "nothing about other data, other languages, or people who try to mislead it.",
        "Whether it treats groups of people differently was not measured.",
        "Let a person check its answers before they have consequences for somebody.",
        "Which duties the AI Act gives follows from the use that is made of it: its risk class "
        "was not judged here.",
    ]
    if personal:
        lines.append(
            "It learned from personal data and may repeat some of it: treat the model itself "
            "as personal data."
        )
    return "## What it is not\n\n" + "\n".join(f"- {line}" for line in lines)
