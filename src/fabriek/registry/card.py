"""The model card: what a model is, what it was made from, what it is worth and what not.

Markdown with the front matter that Hugging Face reads. The card travels with the model, so it
is in English with a Dutch summary, whatever language the page around it has.
"""

import json
import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field

from django.utils import translation

from fabriek.kernel import words
from fabriek.registry.scores import Figure, pairs

LANGUAGE = "en"

# Regulation (EU) 2024/1689: above this much training compute a model is presumed to be a
# general-purpose one (Commission guidelines of July 2025).
GPAI_FLOP = 1e23


@dataclass(frozen=True, kw_only=True, slots=True)
class Source:
    """A dataset or base model: `reference` names the very revision."""

    reference: str
    title: str
    digest: str
    licence: str
    has_personal_data: bool = False


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
    gpu_seconds_used: int = 0
    gpu_seconds_estimated: int = 0
    terms: Sequence[str] = ()


def written(facts: CardFacts) -> str:
    """Write the whole card."""
    parts = (
        _front_matter(facts),
        f"# {_line(facts.title)}",
        _summaries(facts),
        _scores(facts),
        _origin(facts),
        _making(facts),
        _terms(facts),
        _limits(facts),
    )
    return "\n\n".join(part for part in parts if part) + "\n"


def of_unknown(*, title: str, licence: str) -> str:
    """Write the little that is known of a model that came without a card."""
    front = _matter(_licence(licence))
    return f"{front}\n\n# {_line(title)}\n\nIts makers sent no model card with it.\n"


def _front_matter(facts: CardFacts) -> str:
    meta: dict[str, object] = {
        **_licence(facts.licence),
        "library_name": "transformers",
        "pipeline_tag": "text-generation",
        "tags": ["fabriek", facts.recipe.replace("_", "-")],
        "datasets": [source.reference for source in facts.datasets],
    }
    if facts.base:
        meta["base_model"] = facts.base.reference
    return _matter(meta)


def _licence(licence: str) -> dict[str, object]:
    name = licence.lower()
    if name in HUB_LICENCES:
        return {"license": name}
    return {"license": "other", "license_name": name}


def _matter(meta: Mapping[str, object]) -> str:
    """JSON is valid YAML: quoting by a library, so that no title can break out of its line."""
    lines = [f"{name}: {json.dumps(value)}" for name, value in meta.items()]
    return "\n".join(["---", *lines, "---"])


HUB_LICENCES = {"cc0-1.0", "cc-by-4.0", "cc-by-sa-4.0", "eupl-1.2", "apache-2.0", "mit"}


def _summaries(facts: CardFacts) -> str:
    gemeten, measured = _measured(facts.scores)
    return (
        f"**In het kort.** Dit model is gemaakt door {_line(facts.organisation)} voor de casus "
        f"“{_line(facts.case_title)}”.{gemeten}\n\n"
        f"**In short.** This model was made by {_line(facts.organisation)} for the case "
        f"“{_line(facts.case_title)}”.{measured}\n\n## What it is for\n\n{_text(facts.purpose)}"
    )


def _measured(scores: Mapping[str, Figure]) -> tuple[str, str]:
    """Say the score people understand best, in Dutch and in English."""
    before, after = scores.get("exact_match_before"), scores.get("exact_match_after")
    if after is None:
        return "", ""
    vooraf, na = (_said("exact_match", one, language="nl") for one in (before, after))
    earlier, later = (_said("exact_match", one) for one in (before, after))
    return (
        f" Van de voorbeelden die het nooit zag, beantwoordt het {na} precies goed"
        f"{'' if before is None else f' (vooraf: {vooraf})'}.",
        f" On rows it never saw it answers {later} exactly right"
        f"{'' if before is None else f' (before training: {earlier})'}.",
    )


def _scores(facts: CardFacts) -> str:
    rows = [
        f"| {_line(score.name.replace('_', ' '))} | {_said(score.name, score.before)} "
        f"| {_said(score.name, score.after)} |"
        for score in pairs(facts.scores)
    ]
    if not rows:
        return "## Scores\n\nNothing was measured."
    apart = facts.facts.get("rows_held_out")
    on = f"{apart:,} rows" if isinstance(apart, int) else "rows"
    table = "\n".join(["| score | before | after |", "|---|---:|---:|", *rows])
    return (
        f"## Scores\n\n{table}\n\nMeasured on {on} that were kept apart and never "
        "learned from. Exact match: the share of answers that are right to the letter. "
        "Loss: how surprised the model is by the right answer; lower is better."
    )


def _origin(facts: CardFacts) -> str:
    lines = [
        f"- Case {facts.case}, run {facts.run}, made on {facts.made_on}",
        f"- Recipe `{facts.recipe}`: {facts.recipe_summary}",
    ]
    for source in facts.datasets:
        personal = "contains personal data" if source.has_personal_data else "no personal data"
        lines.append(
            f"- Data: {_line(source.title)} ({source.reference}, sha256 of its listing "
            f"`{source.digest}`), licence {_line(source.licence)}, {personal} according to its "
            "owner"
        )
    if facts.base:
        lines.append(
            f"- Base model: {_line(facts.base.title)} ({facts.base.reference}, "
            f"sha256 of its listing `{facts.base.digest}`), licence {_line(facts.base.licence)}"
        )
    else:
        lines.append("- Base model: none, it was trained from scratch")
    lines.append(
        f"- Licence of this model: {_line(facts.licence)}, derived from the licences above; "
        "this is a rule of thumb and no legal advice"
    )
    return "## Origin\n\n" + "\n".join(lines)


COUNTS = ("parameters_total", "parameters_trained", "rows_trained", "tokens_seen")


def _making(facts: CardFacts) -> str:
    lines = [
        f"- GPU-hours used: {facts.gpu_seconds_used / 3600:.2f} "
        f"(estimated before the start: {facts.gpu_seconds_estimated / 3600:.2f})",
        "- Energy used: not measured",
        f"- Fabriek {facts.code_version}, seed {facts.seed}",
    ]
    lines += [
        f"- {name.replace('_', ' ').capitalize()}: {value:,}"
        for name in COUNTS
        if isinstance(value := facts.facts.get(name), int)
    ]
    if compute := _compute(facts.facts.get("flop_estimate")):
        lines.append(compute)
    return "## How it was made\n\n" + "\n".join(lines) + _settings(facts)


def _settings(facts: CardFacts) -> str:
    rows = [
        f"| {_inside(one.title)} | {_inside(one.value)} | {_code(one.option)} |"
        for one in facts.settings
    ]
    head = ["| setting | value | on the command line |", "|---|---|---|"]
    return "\n\n" + "\n".join([*head, *rows]) if rows else ""


def _compute(flop: object) -> str:
    if not isinstance(flop, int | float) or isinstance(flop, bool):
        return ""
    presumed = "above" if flop > GPAI_FLOP else "below"
    return (
        f"- Training compute: about {flop:.2g} FLOP of our own, {presumed} the 1e23 from which "
        "the guidelines to the AI Act presume a general-purpose model; that of the base model "
        "is not counted here"
    )


def _terms(facts: CardFacts) -> str:
    """Tell what the data it learned from lets one do with it; nothing where nothing binds."""
    if not facts.terms:
        return ""
    lines = "\n".join(f"- {_line(one)}" for one in facts.terms)
    return f"## Under which terms\n\n{lines}"


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


def _said(name: str, value: Figure, *, language: str = LANGUAGE) -> str:
    with translation.override(language):
        return words.score(name, value)


# What would end a piece of code or a cell of a table: shown by a sign that looks like it.
UNLIKE_CODE = str.maketrans("`|", "’¦")
SIGNS = frozenset("\\`*_[]<>|#~&")
# What begins a list, a rule or a heading's underline when it stands first on a line.
OPENING = re.compile(r"^(?:[-+=]|[0-9]{1,9}[.)])")


def _line(text: str) -> str:
    """Keep what people typed on its line and out of the markup."""
    escaped = _inside(text)
    if found := OPENING.match(escaped):
        end = found.end() - 1
        return f"{escaped[:end]}\\{escaped[end:]}"
    return escaped


def _inside(text: str) -> str:
    """Do the same for what does not stand first on its line."""
    return "".join(f"\\{sign}" if sign in SIGNS else sign for sign in _flat(text))


def _code(text: str) -> str:
    """Show in a table's cell what one could type: nothing in it is markup."""
    return f"`{_flat(text).translate(UNLIKE_CODE)}`"


def _flat(text: str) -> str:
    return "".join(sign for sign in " ".join(text.split()) if sign.isprintable())


def _text(text: str) -> str:
    paragraphs = re.split(r"\n\s*\n", text.replace("\r\n", "\n"))
    return "\n\n".join(_line(part) for part in paragraphs if part.strip())
