"""Reads tasks in the form of lm-eval's YAML files: a closed part of it, the rest is refused.

What is known stands in `KNOWN` and below; each other word gets a sentence, so that no score
ever means something else than its task says.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Literal, TypedDict, cast

from fabriek_recipes.evaluate.task_files import (
    Files,
    Unusable,
    check_amount,
    loaded,
    task_files,
    unusable,
)
from fabriek_recipes.evaluate.templates import BadTask, Template, made
from fabriek_recipes.events import Json
from fabriek_recipes.words import Sentence, _

FEWSHOT_MAX = 64
CHOICES_MIN = 2
TOKENS_MAX = 4_096

Kind = Literal["generate", "choose", "weigh"]
KINDS: dict[str, Kind] = {
    "generate_until": "generate",
    "multiple_choice": "choose",
    "loglikelihood": "weigh",
}
# By kind of task: the names of measures there and here; the first is what one gets unasked.
MEASURES: dict[Kind, dict[str, str]] = {
    "generate": {
        "exact_match": "exact_match",
        "f1": "token_f1",
        "rouge": "rouge_l",
        "rougeL": "rouge_l",
        "rouge_l": "rouge_l",
    },
    "choose": {"acc": "accuracy", "acc_norm": "accuracy_by_length"},
    "weigh": {"perplexity": "row_perplexity", "acc": "accuracy"},
}
METRIC_WORDS = {"metric", "aggregation", "higher_is_better"}
OPTIONS = {"ignore_case", "ignore_punctuation"}
IGNORED = {"task_alias", "tag", "group", "metadata", "dataset_name"}
KNOWN = IGNORED | {
    "task",
    "dataset_path",
    "dataset_kwargs",
    "data_files",
    "test_split",
    "validation_split",
    "training_split",
    "fewshot_split",
    "output_type",
    "doc_to_text",
    "doc_to_target",
    "doc_to_choice",
    "description",
    "target_delimiter",
    "fewshot_delimiter",
    "num_fewshot",
    "metric_list",
    "generation_kwargs",
}
GENERATION = {"until", "max_gen_toks", "do_sample", "temperature"}
GREEDY = (False, 0, 0.0, None)


@dataclass(frozen=True, slots=True, kw_only=True)
class Task:
    """What to ask of each row of a file, and how the answers are judged."""

    name: str
    kind: Kind
    file: Path
    examples: Path
    """Where solved questions to show before are taken from; may be the same file."""
    asked: Template
    target: Template | int
    choices: Template | tuple[str, ...] | None
    measures: tuple[str, ...]
    ignores_case: bool = False
    ignores_punctuation: bool = False
    until: tuple[str, ...] = ()
    tokens_max: int = 0
    """0: as many as the run allows."""
    fewshot: int = 0
    description: str = ""
    before_target: str = " "
    between: str = "\n\n"


class _Generation(TypedDict):
    until: tuple[str, ...]
    tokens_max: int


def read_task(path: Path, dataset: Path) -> Task:
    """Read one task file.

    Raises:
        Unusable: with what it uses that is not known here, or lacks.
    """
    raw = loaded(path)
    for name in raw:
        if name not in KNOWN:
            text = _(
                "The task file %(file)s uses “%(name)s”, which is not known here; take it out."
            )
            raise unusable(text, path, name=str(name)[:60])
    kind = KINDS.get(str(raw.get("output_type", "generate_until")))
    if kind is None:
        text = _(
            "The task file %(file)s has an output_type that is not generate_until, "
            "multiple_choice or loglikelihood; choose one of these."
        )
        raise unusable(text, path)
    files = Files.of(raw, path, dataset)
    measures, options = _measures(raw, kind, path)
    return Task(
        name=_text(raw, "task", path)[:60] or path.stem[:60],
        kind=kind,
        file=files.asked,
        examples=files.examples,
        asked=_template(raw, "doc_to_text", path),
        target=_target(raw, path),
        choices=_choices(raw, kind, path),
        measures=measures,
        ignores_case="ignore_case" in options,
        ignores_punctuation="ignore_punctuation" in options,
        **_generation(raw, path),
        fewshot=_number(raw, "num_fewshot", path, most=FEWSHOT_MAX),
        description=_text(raw, "description", path),
        before_target=_text(raw, "target_delimiter", path, " "),
        between=_text(raw, "fewshot_delimiter", path, "\n\n"),
    )


def _measures(
    raw: Mapping[str, Json], kind: Kind, path: Path
) -> tuple[tuple[str, ...], set[str]]:
    known = MEASURES[kind]
    listed = raw.get("metric_list")
    if listed is None:
        return (next(iter(known.values())),), set()
    found: list[str] = []
    options: set[str] = set()
    for item in listed if isinstance(listed, list) else [None]:
        entry = item if isinstance(item, dict) else {}
        name = entry.get("metric")
        # Of what else is measured, what is ignored is fixed.
        allowed = METRIC_WORDS | (OPTIONS if name == "exact_match" else set())
        odd = sorted(set(entry) - allowed)
        if odd or not isinstance(name, str) or name not in known:
            text = _(
                "The task file %(file)s asks for the measure “%(name)s”, which is not known "
                "for this kind of task; known are %(known)s."
            )
            told = str(odd[0] if odd else name)[:60]
            raise unusable(text, path, name=told, known=", ".join(known))
        _check_meaning(entry, known[name], path)
        found.append(known[name])
        options |= {word for word in OPTIONS & entry.keys() if entry[word]}
    return tuple(dict.fromkeys(found)), options


def _check_meaning(entry: Mapping[str, Json], measure: str, path: Path) -> None:
    """Refuse what would make another figure of the same name."""
    is_loss = measure == "row_perplexity"
    only: dict[str, Json] = {
        "aggregation": "perplexity" if is_loss else "mean",
        "higher_is_better": not is_loss,
    }
    for word, here in only.items():
        if entry.get(word, here) != here:
            text = _(
                "In the task file %(file)s “%(name)s” of “%(measure)s” can only be %(here)s; "
                "write that, or leave it out."
            )
            told = str(here).lower()
            raise unusable(text, path, name=word, measure=str(entry["metric"])[:60], here=told)


def _generation(raw: Mapping[str, Json], path: Path) -> _Generation:
    told = raw.get("generation_kwargs", {})
    odd = sorted(set(told) - GENERATION) if isinstance(told, dict) else ["generation_kwargs"]
    if isinstance(told, dict):
        odd += [name for name in ("do_sample", "temperature") if told.get(name) not in GREEDY]
    if odd or not isinstance(told, dict):
        text = _(
            "The task file %(file)s uses “%(name)s”, which is not known here; take it out."
        )
        raise unusable(text, path, name=odd[0])
    until = told.get("until", [])
    stops = [until] if isinstance(until, str) else until
    if not isinstance(stops, list) or not all(isinstance(one, str) and one for one in stops):
        text = _("In the task file %(file)s “%(name)s” is no text; write it between quotes.")
        raise unusable(text, path, name="until")
    return {
        "until": tuple(cast("list[str]", stops)),
        "tokens_max": _number(told, "max_gen_toks", path, most=TOKENS_MAX),
    }


def _template(raw: Mapping[str, Json], name: str, path: Path) -> Template:
    source = raw.get(name)
    if not isinstance(source, str) or not source:
        text = _("The task file %(file)s has no %(name)s; add it.")
        raise unusable(text, path, name=name)
    # A bare word names a field, as in lm-eval.
    return _made(f"{{{{ {source} }}}}" if source.isidentifier() else source, name, path)


def _target(raw: Mapping[str, Json], path: Path) -> Template | int:
    source = raw.get("doc_to_target")
    if isinstance(source, int) and not isinstance(source, bool):
        return source
    return _template(raw, "doc_to_target", path)


def _choices(
    raw: Mapping[str, Json], kind: Kind, path: Path
) -> Template | tuple[str, ...] | None:
    if kind != "choose":
        return None
    source = raw.get("doc_to_choice")
    if isinstance(source, list):
        # A bare yes or no is true or false in YAML, which no model would write.
        if len(source) < CHOICES_MIN or not all(_is_written(one) for one in source):
            text = _(
                "In the task file %(file)s doc_to_choice is no list of at least two texts; "
                "write each between quotes."
            )
            raise unusable(text, path)
        return tuple(str(one) for one in source)
    return _template(raw, "doc_to_choice", path)


def _is_written(value: Json) -> bool:
    is_number = isinstance(value, int | float) and not isinstance(value, bool)
    return is_number or (isinstance(value, str) and value.strip() != "")


def _made(source: str, name: str, path: Path) -> Template:
    try:
        return made(source)
    except BadTask as why:
        text = _(
            "In the task file %(file)s %(name)s uses what is not known here (%(why)s); write "
            "it more simply."
        )
        raise unusable(text, path, name=name, why=str(why)) from why


def _text(raw: Mapping[str, Json], name: str, path: Path, default: str = "") -> str:
    found = raw.get(name, default)
    if not isinstance(found, str):
        text = _("In the task file %(file)s “%(name)s” is no text; write it between quotes.")
        raise unusable(text, path, name=name)
    return found


def _number(raw: Mapping[str, Json], name: str, path: Path, *, most: int) -> int:
    found = raw.get(name, 0)
    if not isinstance(found, int) or isinstance(found, bool) or not 0 <= found <= most:
        text = _(
            "In the task file %(file)s “%(name)s” is no whole number from 0 to %(most)s; mend "
            "it."
        )
        raise unusable(text, path, name=name, most=most)
    return found


def problems(dataset: Path) -> Iterator[Sentence]:
    """Say what is wrong with each task file of a dataset."""
    paths = task_files(dataset)
    try:
        check_amount(paths)
    except Unusable as why:
        yield why.sentence
        return
    for path in paths:
        try:
            read_task(path, dataset)
        except Unusable as why:
            yield why.sentence
