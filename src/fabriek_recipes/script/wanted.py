"""What an environment file asks for, and which of that the base environment does not have."""

from __future__ import annotations

import re
import sys
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from importlib import metadata
from pathlib import Path

import yaml
from packaging.requirements import InvalidRequirement, Requirement
from packaging.specifiers import InvalidSpecifier, SpecifierSet
from packaging.version import InvalidVersion

from fabriek_recipes.words import Failed, _

FILE_BYTES_MAX = 256 * 1024
LINES_MAX = 2_000
SHOWN_MAX = 8
CONDA_ENDINGS = (".yml", ".yaml")
HASH = re.compile(r"\s--hash=[a-z0-9]+:[0-9a-fA-F]+")
# `python` and `pip` are there; all else that conda installs is not Python's, or not by name.
CONDA_PYTHON = re.compile(r"(python|pip)\s*(?:([=<>!~]=?.*))?")
PYTHON = f"{sys.version_info.major}.{sys.version_info.minor}"


class PlainLoader(yaml.SafeLoader):
    """Plain values only; an alias is refused, as a few bytes of those can mean gigabytes."""

    def compose_node(self, parent: yaml.Node | None, index: int) -> yaml.Node | None:
        """Go on, but for an alias."""
        if self.check_event(yaml.AliasEvent):
            raise yaml.YAMLError("alias")
        return super().compose_node(parent, index)


@dataclass(frozen=True, slots=True, kw_only=True)
class Line:
    """One thing that is asked for: `text` as pip reads it, with its hashes."""

    requirement: Requirement
    text: str

    @property
    def name(self) -> str:
        """Name the package."""
        return self.requirement.name

    @property
    def is_pinned(self) -> bool:
        """Tell whether it is one version and no other."""
        pins = [one for one in self.requirement.specifier if one.operator in {"==", "==="}]
        return any(not one.version.endswith(".*") for one in pins)


def read(path: Path) -> tuple[Line, ...]:
    """Read a requirements.txt, or the part of an environment.yml that pip installs.

    Raises:
        Failed: there is no such file, or something in it cannot be had here.
    """
    try:
        with path.open("rb") as file:
            raw = file.read(FILE_BYTES_MAX + 1)
        text = raw.decode("utf-8-sig")
    except (OSError, UnicodeDecodeError) as why:
        msgid = _("The environment file “%(name)s” is not there, or is no text. Send it along.")
        raise Failed("no_environment", msgid, name=path.name) from why
    if len(raw) > FILE_BYTES_MAX or text.count("\n") > LINES_MAX:
        msgid = _("The environment file “%(name)s” is far too long. Name what you import.")
        raise Failed("bad_environment", msgid, name=path.name)
    lines = _of_conda(text) if path.suffix in CONDA_ENDINGS else _whole_lines(text)
    found = [_line(one) for one in lines]
    return tuple(one for one in found if _counts(one.requirement))


def lacking(lines: Iterable[Line]) -> tuple[Line, ...]:
    """Name those that the environment of this very Python does not have in a right version."""
    return tuple(one for one in lines if not _has(one.requirement))


def refusal(lines: Iterable[Line]) -> Failed:
    """Say which are not there, for a factory that installs nothing."""
    text = _(
        "This factory installs no packages, and its own environment lacks: %(names)s. Leave "
        "them out, or ask the helpdesk to install them."
    )
    return Failed("packages_missing", text, names=shown(lines))


def unpinned(lines: Iterable[Line]) -> Failed | None:
    """Say which of these may be another version tomorrow; None where none may."""
    loose = [one for one in lines if not one.is_pinned]
    text = _(
        "Say of each package which version, such as numpy==2.1.0: else your run is another one "
        "tomorrow. Without a version are: %(names)s."
    )
    return Failed("not_pinned", text, names=shown(loose)) if loose else None


def shown(lines: Iterable[Line]) -> str:
    """Name the first of them, with what the base has instead."""
    several = list(lines)
    said = [_said(one.requirement) for one in several[:SHOWN_MAX]]
    return ", ".join(said) + (", …" if len(several) > SHOWN_MAX else "")


def _said(wanted: Requirement) -> str:
    here = _version(wanted.name)
    there = f" (it has {here})" if here else ""
    return f"{wanted.name}{wanted.specifier}{there}"


def _has(wanted: Requirement) -> bool:
    found = _version(wanted.name)
    if found is None:
        return False
    try:
        return wanted.specifier.contains(found, prereleases=True)
    except InvalidVersion:
        return False


def _version(name: str) -> str | None:
    try:
        return metadata.version(name)
    except metadata.PackageNotFoundError:
        return None


def _counts(wanted: Requirement) -> bool:
    return wanted.marker is None or wanted.marker.evaluate()


# --- reading -----------------------------------------------------------------------------
def _whole_lines(text: str) -> Iterator[str]:
    """Give each line without comments, put together where it goes on with a backslash."""
    for one in text.replace("\\\r\n", " ").replace("\\\n", " ").splitlines():
        line = re.sub(r"(^|\s)#.*$", "", one).strip()
        if line:
            yield line


def _line(text: str) -> Line:
    plain = HASH.sub("", text).strip()
    if plain.startswith("-"):
        msgid = _(
            "“%(line)s” in the environment file is an option, and only packages can stand "
            "there. Name each package on a line of its own."
        )
        raise Failed("bad_environment", msgid, line=plain[:80])
    try:
        found = Requirement(plain)
    except InvalidRequirement as why:
        msgid = _("“%(line)s” in the environment file names no package. Mend the line.")
        raise Failed("bad_environment", msgid, line=plain[:80]) from why
    if found.url:
        msgid = _(
            "“%(line)s” in the environment file comes from an address, and packages come from "
            "the factory's own index only. Send that code along in your folder."
        )
        raise Failed("bad_environment", msgid, line=plain[:80])
    return Line(requirement=found, text=text)


def _of_conda(text: str) -> Iterator[str]:
    """Give what stands below `pip:`; of the rest only a Python that is the same may stand."""
    try:
        told = yaml.load(text, PlainLoader)  # noqa: S506  a loader of plain values
    except (yaml.YAMLError, RecursionError, ValueError) as why:
        msgid = _("The environment file is no YAML that can be read. Mend it.")
        raise Failed("bad_environment", msgid) from why
    wanted = told.get("dependencies") if isinstance(told, dict) else None
    if not isinstance(wanted, list):
        msgid = _("The environment file has no list of “dependencies”. Add it.")
        raise Failed("bad_environment", msgid)
    for one in wanted:
        if isinstance(one, dict) and set(one) == {"pip"} and isinstance(one["pip"], list):
            yield from _whole_lines("\n".join(str(line) for line in one["pip"]))
        elif not _is_our_python(str(one)):
            msgid = _(
                "“%(line)s” is for conda, which the factory does not have. Put what Python "
                "imports below “pip:”, and leave the rest out."
            )
            raise Failed("bad_environment", msgid, line=str(one)[:80])


def _is_our_python(line: str) -> bool:
    found = CONDA_PYTHON.fullmatch(line.strip())
    if found is None:
        return False
    name, asked = found.groups()
    if name == "pip" or not asked:
        return True
    exact = asked.lstrip("=").strip() if asked.startswith("=") else ""
    try:
        said = SpecifierSet(f"=={exact}.*" if exact.count(".") == 1 else asked)
    except InvalidSpecifier:
        return False
    return exact == PYTHON or said.contains(f"{PYTHON}.{sys.version_info.micro}")
