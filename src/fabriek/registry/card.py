"""The model card: what a model is, what it was made from, what it is worth and what not.

Markdown with the front matter that Hugging Face reads. The card travels with the model, so it
is in English with a Dutch summary, whatever language the page around it has.
"""

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field

Score = float | int | None

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
class CardFacts:
    title: str
    case: str
    case_title: str
    organisation: str
    purpose: str
    recipe: str
    recipe_summary: str
    run: str
    seed: int
    code_version: str
    licence: str
    knobs: Mapping[str, object]
    datasets: Sequence[Source]
    base: Source | None
    scores: Mapping[str, Score]
    facts: Mapping[str, object] = field(default_factory=dict)
    gpu_seconds_used: int = 0
    gpu_seconds_estimated: int = 0


def written(facts: CardFacts) -> str:
    """Write the whole card."""
    parts = (
        _front_matter(facts),
        f"# {_line(facts.title)}",
        _summaries(facts),
        _scores(facts),
        _origin(facts),
        _making(facts),
        _limits(facts),
    )
    return "\n\n".join(part for part in parts if part) + "\n"


def _front_matter(facts: CardFacts) -> str:
    """JSON is valid YAML: quoting by a library, so that no title can break out of its line."""
    licence = facts.licence.lower()
    meta: dict[str, object] = {
        "license": licence if licence in HUB_LICENCES else "other",
        "language": ["nl"],
        "library_name": "transformers",
        "pipeline_tag": "text-generation",
        "tags": ["fabriek", facts.recipe],
        "datasets": [source.reference for source in facts.datasets],
    }
    if meta["license"] == "other":
        meta["license_name"] = licence
    if facts.base:
        meta["base_model"] = facts.base.reference
    lines = [f"{name}: {json.dumps(value, ensure_ascii=False)}" for name, value in meta.items()]
    return "\n".join(["---", *lines, "---"])


HUB_LICENCES = {"cc0-1.0", "cc-by-4.0", "cc-by-sa-4.0", "eupl-1.2", "apache-2.0", "mit"}


def _summaries(facts: CardFacts) -> str:
    before, after = _pair(facts.scores, "exact_match")
    measured = ""
    gemeten = ""
    if after is not None:
        measured = f" On rows it never saw it answers {after:.0%} exactly right"
        measured += f" (before training: {before:.0%})." if before is not None else "."
        gemeten = f" Van de voorbeelden die het nooit zag, beantwoordt het {after:.0%} precies goed"
        gemeten += f" (vooraf: {before:.0%})." if before is not None else "."
    return (
        f"**In het kort.** Dit model is gemaakt door {_line(facts.organisation)} voor de casus "
        f"“{_line(facts.case_title)}”.{gemeten}\n\n"
        f"**In short.** This model was made by {_line(facts.organisation)} for the case "
        f"“{_line(facts.case_title)}”.{measured}\n\n## What it is for\n\n{_text(facts.purpose)}"
    )


def _scores(facts: CardFacts) -> str:
    names = sorted({name.rpartition("_")[0] for name in facts.scores})
    rows = [
        f"| {name.replace('_', ' ')} | {_number(before)} | {_number(after)} |"
        for name in names
        for before, after in [_pair(facts.scores, name)]
    ]
    if not rows:
        return ""
    apart = facts.facts.get("rows_held_out", "an unknown number of")
    table = "\n".join(["| score | before | after |", "|---|---:|---:|", *rows])
    return (
        f"## Scores\n\n{table}\n\nMeasured on {apart} rows that were kept apart and never "
        "learned from. Exact match: the share of answers that are right to the letter. Loss: "
        "how surprised the model is by the right answer; lower is better."
    )


def _origin(facts: CardFacts) -> str:
    lines = [
        f"- Case {facts.case}, run {facts.run}, recipe `{facts.recipe}`: {facts.recipe_summary}"
    ]
    for source in facts.datasets:
        personal = "contains personal data" if source.has_personal_data else "no personal data"
        lines.append(
            f"- Data: {_line(source.title)} ({source.reference}, sha256 of its listing "
            f"`{source.digest}`), licence {source.licence}, {personal} according to its owner"
        )
    if facts.base:
        lines.append(
            f"- Base model: {_line(facts.base.title)} ({facts.base.reference}), "
            f"licence {facts.base.licence}"
        )
    else:
        lines.append("- Base model: none, it was trained from scratch")
    lines.append(
        f"- Licence of this model: {facts.licence}, derived from the licences above; this is a "
        "rule of thumb and no legal advice"
    )
    return "## Origin\n\n" + "\n".join(lines)


def _making(facts: CardFacts) -> str:
    flop = facts.facts.get("flop_estimate")
    lines = [
        f"- GPU-hours used: {facts.gpu_seconds_used / 3600:.2f} "
        f"(estimated before the start: {facts.gpu_seconds_estimated / 3600:.2f})",
        f"- Fabriek {facts.code_version}, seed {facts.seed}",
    ]
    for name in ("rows_trained", "tokens_seen", "parameters_trained", "parameters_total"):
        if isinstance(value := facts.facts.get(name), int):
            lines.append(f"- {name.replace('_', ' ').capitalize()}: {value:,}")
    if isinstance(flop, int | float) and not isinstance(flop, bool):
        presumed = "above" if flop > GPAI_FLOP else "far below"
        lines.append(
            f"- Training compute: about {flop:.2g} FLOP of our own, {presumed} the 1e23 at which "
            "the AI Act's guidelines presume a general-purpose model"
        )
    knobs = "\n".join(f"| {name} | {_line(str(value))} |" for name, value in facts.knobs.items())
    settings = f"\n\n| setting | value |\n|---|---|\n{knobs}" if knobs else ""
    return "## How it was made\n\n" + "\n".join(lines) + settings


def _limits(facts: CardFacts) -> str:
    personal = any(source.has_personal_data for source in facts.datasets)
    lines = [
        "The scores say how the model does on data like the data it learned from. They say "
        "nothing about other data, other languages, or people who try to mislead it.",
        "Let a person check its answers before they have consequences for somebody.",
    ]
    if personal:
        lines.append(
            "It learned from personal data and may repeat some of it: treat the model itself as "
            "personal data."
        )
    return "## What it is not\n\n" + "\n".join(f"- {line}" for line in lines)


def _pair(scores: Mapping[str, Score], name: str) -> tuple[Score, Score]:
    return scores.get(f"{name}_before"), scores.get(f"{name}_after")


def _number(value: Score) -> str:
    return "not measured" if value is None else f"{value:.4g}"


def _line(text: str) -> str:
    """Keep what people typed on its line and out of the markup."""
    flat = " ".join(text.split())
    return "".join(f"\\{sign}" if sign in "\\`*_[]<>|#" else sign for sign in flat)


def _text(text: str) -> str:
    return "\n\n".join(_line(part) for part in text.split("\n\n") if part.strip())
