"""Finds the task files of a dataset, reads their YAML, and the files with rows they name."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path, PurePosixPath

import yaml

from fabriek_recipes.events import Json
from fabriek_recipes.words import Sentence, Value, _

SUFFIXES = {".yaml", ".yml"}
BYTES_MAX = 64 * 1024
# Before a run all are read while somebody waits: 64 KiB of YAML take a second or two.
FILES_MAX = 200
ALL_BYTES_MAX = 64 * 1024


class Unusable(Exception):
    """A task file that cannot be used, with the sentence that says why."""

    def __init__(self, sentence: Sentence) -> None:
        """Keep it."""
        self.sentence = sentence
        super().__init__(sentence)


def task_files(dataset: Path) -> list[Path]:
    """Find the files of a dataset that say they are a task."""
    found = [dataset] if dataset.is_file() else sorted(dataset.rglob("*"))
    return [path for path in found if path.suffix in SUFFIXES and path.is_file()]


def check_amount(paths: Sequence[Path]) -> None:
    """Raise Unusable where there are more than can be read while somebody waits."""
    if len(paths) > FILES_MAX:
        text = _("The dataset has %(count)s task files, and %(most)s at most; take some out.")
        raise Unusable(Sentence(text, count=len(paths), most=FILES_MAX))
    size = sum(path.stat().st_size for path in paths)
    if size > ALL_BYTES_MAX and len(paths) > 1:
        text = _(
            "The task files are %(size)s KiB together, and %(most)s KiB at most; make them "
            "smaller, or take some out."
        )
        sizes = {"size": size // 1024, "most": ALL_BYTES_MAX // 1024}
        raise Unusable(Sentence(text, **sizes))


def loaded(path: Path) -> dict[str, Json]:
    """Read the YAML of a task. Raises: Unusable."""
    if path.stat().st_size > BYTES_MAX:
        text = _("The task file %(file)s is larger than %(most)s KiB; make it smaller.")
        raise unusable(text, path, most=BYTES_MAX // 1024)
    try:
        raw = yaml.load(path.read_text(encoding="utf-8"), Loader=_Plain)  # noqa: S506  safe
    except (yaml.YAMLError, ValueError, RecursionError) as why:
        text = _(
            "The task file %(file)s is no plain YAML (%(why)s); mend it. What begins with ! "
            "would run code, and is not taken."
        )
        raise unusable(text, path, why=" ".join(str(why).split())[:150]) from why
    if not isinstance(raw, dict) or not _is_plain(raw):
        text = _("The task file %(file)s holds no names with values; write task: … in it.")
        raise unusable(text, path)
    return raw


class _Plain(yaml.SafeLoader):
    """Takes no aliases: a few lines of them can stand for more than fits any memory."""

    def compose_node(self, parent: yaml.Node | None, index: int) -> yaml.Node | None:
        """Read one node."""
        if self.check_event(yaml.AliasEvent):
            raise yaml.YAMLError("it uses an alias (*)")
        return super().compose_node(parent, index)


def _is_plain(value: object) -> bool:
    """Tell what JSON can say, with text as names; YAML knows days and other keys too."""
    if isinstance(value, dict):
        return all(isinstance(name, str) and _is_plain(one) for name, one in value.items())
    if isinstance(value, list):
        return all(_is_plain(one) for one in value)
    return value is None or isinstance(value, str | int | float)


@dataclass(frozen=True, slots=True)
class Files:
    """The rows to ask of, and those to take solved examples from."""

    asked: Path
    examples: Path

    @classmethod
    def of(cls, raw: Mapping[str, Json], path: Path, dataset: Path) -> Files:
        """Find the files a task names; they lie in the same dataset."""
        if raw.get("dataset_path", "json") != "json":
            text = _(
                "The task file %(file)s asks for data from elsewhere; put the rows beside it "
                "as .jsonl, and write dataset_path: json."
            )
            raise unusable(text, path)
        named = _named(raw, path)
        asked = _split(raw, named, ("test_split", "validation_split", "training_split"))
        shown = _split(raw, named, ("fewshot_split", "training_split", "validation_split"))
        if asked is None:
            text = _(
                "The task file %(file)s names no file with rows; write dataset_kwargs: "
                "{data_files: {test: rows.jsonl}} and test_split: test."
            )
            raise unusable(text, path)
        return cls(_inside(asked, path, dataset), _inside(shown or asked, path, dataset))


def _named(raw: Mapping[str, Json], path: Path) -> dict[str, str]:
    told = raw.get("dataset_kwargs", {})
    if not isinstance(told, dict) or set(told) - {"data_files"}:
        text = _("In the task file %(file)s dataset_kwargs may hold data_files only; mend it.")
        raise unusable(text, path)
    files = told.get("data_files", raw.get("data_files"))
    if isinstance(files, str):
        return {"": files}
    found: dict[str, str] = {}
    for name, one in files.items() if isinstance(files, dict) else ():
        only = one[0] if isinstance(one, list) and len(one) == 1 else one
        if not isinstance(only, str):
            text = _("In the task file %(file)s each of the data_files is one file; mend it.")
            raise unusable(text, path)
        found[str(name)] = only
    return found


def _split(
    raw: Mapping[str, Json], named: Mapping[str, str], words: tuple[str, ...]
) -> str | None:
    if set(named) == {""}:
        return named[""]
    for word in words:
        if (found := named.get(str(raw.get(word)))) is not None:
            return found
    return None


def _inside(name: str, path: Path, dataset: Path) -> Path:
    """Find a file beside the task or from the dataset's beginning, and never outside it."""
    told = PurePosixPath(name)
    root = dataset if dataset.is_dir() else dataset.parent
    is_tame = not told.is_absolute() and ".." not in told.parts
    for folder in (path.parent, root) if is_tame else ():
        found = folder / told
        if found.is_file() and found.suffix == ".jsonl":
            return found
    text = _(
        "The task file %(file)s names the rows “%(name)s”, and this dataset has no such .jsonl "
        "file; add it."
    )
    raise unusable(text, path, name=name[:100])


def unusable(msgid: str, path: Path, **values: Value) -> Unusable:
    """Say what is wrong with a task file; `msgid` names it by `%(file)s`."""
    return Unusable(Sentence(msgid, file=path.name, **values))
