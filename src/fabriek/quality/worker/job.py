"""What the worker is asked, and how it tells how far it is: plain files in its own folder."""

import json
import os
import time
from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

ASKED = "job.json"
FILES, MADE, TEMPORARY, TOLD = "files", "made", "tmp", "told"
PROGRESS, RESULT = f"{TOLD}/progress.json", f"{TOLD}/result.json"
READING = f"{TOLD}/reading.json"
TELL_EVERY_S = 0.5

Json = dict[str, Any]


class Trouble(Exception):
    """The work cannot go on: a code that is told in words elsewhere, never a value of a row."""

    def __init__(self, code: str, **facts: str | int) -> None:
        super().__init__(code)
        self.code = code
        self.facts = facts


@dataclass(frozen=True, kw_only=True, slots=True)
class Given:
    """One file: `path` is how people name it, `at` where it lies under a number of ours."""

    path: str
    at: Path
    size_bytes: int


@dataclass(kw_only=True, slots=True)
class Job:
    folder: Path
    asked: Json
    files: list[Given]
    secret: str = ""  # the key of pseudonyms: handed over, never written down
    told_at: float = field(default=0.0)

    @classmethod
    def read(cls, folder: Path) -> "Job":
        asked = json.loads((folder / ASKED).read_text())
        files = [
            Given(
                path=one["path"], at=folder / FILES / one["name"], size_bytes=one["size_bytes"]
            )
            for one in asked["files"]
        ]
        return cls(folder=folder, asked=asked, files=files)

    @property
    def temporary(self) -> Path:
        return self.folder / TEMPORARY

    @property
    def writable(self) -> list[Path]:
        """Give the folders it may write in: never the one of its files, which may be links."""
        return [self.folder / name for name in (MADE, TEMPORARY, TOLD)]

    def has_links(self) -> bool:
        """Tell whether a file has another name elsewhere, such as in the store."""
        return any(file.at.stat().st_nlink > 1 for file in self.files)

    @property
    def memory_bytes(self) -> int:
        return int(self.asked["memory_bytes"])

    @property
    def disk_bytes(self) -> int:
        return int(self.asked["disk_bytes"])

    def aside(self, file: Given) -> str:
        """Say why a file is left out: it was too much for a worker before this one."""
        return str(self.asked.get("aside", {}).get(file.at.name, ""))

    def tell(self, doing: str, *, done: int = 0, of: int = 0, path: str = "") -> None:
        """Say what is being done; not more often than somebody looks."""
        now = time.monotonic()
        if now - self.told_at < TELL_EVERY_S and done:
            return
        self.told_at = now
        write(self.folder / PROGRESS, {"doing": doing, "done": done, "of": of, "path": path})

    def finish(self, result: Json) -> None:
        write(self.folder / RESULT, result)


def write(path: Path, told: Json) -> None:
    path.parent.mkdir(exist_ok=True)
    part = path.with_suffix(".part")
    part.write_text(json.dumps(clean(told), ensure_ascii=False, separators=(",", ":")))
    part.replace(path)


def clean(told: Any) -> Any:  # noqa: ANN401  any JSON
    """Leave out of all texts what no database keeps: NUL, and halves of a sign."""
    if isinstance(told, str):
        return told.replace("\0", "").encode("utf-8", "replace").decode()
    if isinstance(told, dict):
        return {clean(name): clean(value) for name, value in told.items()}
    if isinstance(told, list | tuple):
        return [clean(one) for one in told]
    return told


def problem(
    code: str,
    severity: str,
    *,
    path: str = "",
    column: str = "",
    rows: Sequence[int] = (),
    **facts: str | float,
) -> Json:
    """Write a problem down: where it is and how often, never what stands there.

    `count` among the facts is how often, where that is more than the rows that are named.
    """
    count = facts.pop("count", len(rows))
    return {
        "code": code,
        "severity": severity,
        "path": path,
        "column": column,
        "rows": list(rows),
        "count": count,
        "facts": facts,
    }


def free_bytes(folder: Path) -> int:
    told = os.statvfs(folder)
    return told.f_bavail * told.f_frsize
