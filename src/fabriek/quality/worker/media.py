"""Pictures and sounds by their headers only: nothing is decoded, so nothing can explode."""

import hashlib
import struct
import wave
from collections import Counter, defaultdict
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import BinaryIO

from fabriek.quality.worker import pixels
from fabriek.quality.worker.job import Given, Job, Json, problem
from fabriek.quality.worker.pixels import Size
from fabriek.quality.worker.splits import TRAIN, split_of

HEAD_BYTES = 2**16
MOST_NAMED = 20
BOMB_PIXELS = 100_000_000
TINY_PIXELS = 32
TIFF, TIFF_SHORT = {b"II*\0": "<", b"MM\0*": ">"}, 3


def pictures(files: Sequence[Given], job: Job) -> tuple[Json, list[Json]]:
    """Tell formats and sizes, and which files are broken, the same, tiny or too large."""
    formats: Counter[str] = Counter()
    sizes: list[tuple[int, int]] = []
    wrong: dict[str, list[str]] = defaultdict(list)
    for at, file in enumerate(files, start=1):
        job.tell("pictures", done=at, of=len(files))
        found = size_of(file.at)
        if found is None:
            wrong["broken_picture"].append(file.path)
            continue
        kind, width, height = found
        formats[kind] += 1
        sizes.append((width, height))
        if width * height > BOMB_PIXELS:
            wrong["huge_picture"].append(file.path)
        elif min(width, height) < TINY_PIXELS:
            wrong["tiny_picture"].append(file.path)
    told = {"count": len(files), "formats": dict(formats.most_common())}
    if sizes:
        widths, heights = zip(*sizes, strict=True)
        told |= {"widths": _spread(widths), "heights": _spread(heights)}
    problems = [_named(code, names) for code, names in wrong.items()]
    return told, problems + _same("pictures", files, job)


def sounds(files: Sequence[Given], job: Job) -> tuple[Json, list[Json]]:
    """Tell how long WAV and FLAC are and at which rate; of others only that they are there."""
    rates: Counter[int] = Counter()
    lengths: list[float] = []
    broken: list[str] = []
    others = 0
    for file in files:
        measure = MEASURED.get(file.path.casefold().rpartition(".")[2])
        if measure is None:
            others += 1
            continue
        try:
            rate, frames = measure(file)
        except (wave.Error, EOFError, OSError, struct.error, ValueError):
            broken.append(file.path)
            continue
        rates[rate] += 1
        lengths.append(frames / rate)
    told: Json = {"count": len(files), "not_read": others, "rates": dict(rates.most_common(10))}
    if lengths:
        told |= {"seconds": sum(lengths), "lengths": _spread(lengths)}
    problems = [_named("broken_sound", broken)] if broken else []
    if len(rates) > 1:
        problems.append(problem("mixed_rates", "attention", count=len(rates)))
    return told, problems + _same("sounds", files, job)


def _wav(file: Given) -> tuple[int, int]:
    """Give its rate, and how many samples it has. Raises: ValueError, it was cut off."""
    with wave.open(str(file.at)) as sound:
        rate, frames = sound.getframerate(), sound.getnframes()
        size = frames * sound.getnchannels() * sound.getsampwidth()
    if not rate or size > file.size_bytes:
        raise ValueError
    return rate, frames


def _flac(file: Given) -> tuple[int, int]:
    """Read its first block, as RFC 9639, section 8.2 lays it out."""
    with file.at.open("rb") as opened:
        head = opened.read(26)
    if not head.startswith(b"fLaC"):
        raise ValueError
    (told,) = struct.unpack(">Q", head[18:26])
    rate, frames = told >> 44, told & (1 << 36) - 1
    if not rate:
        raise ValueError
    return rate, frames


MEASURED: dict[str, Callable[[Given], tuple[int, int]]] = {"wav": _wav, "flac": _flac}


def size_of(path: Path) -> Size | None:
    """Read format, width and height out of the header; None for what is broken or unknown."""
    with path.open("rb") as file:
        head = file.read(HEAD_BYTES)
        file.seek(0, 2)
        size = file.tell()
        if head[:4] in TIFF:
            return _tiff(file, TIFF[head[:4]])
    found = pixels.read(head)
    return found if found and _ends_well(path, found[0], size) else None


def _ends_well(path: Path, kind: str, size: int) -> bool:
    """See whether the file was cut off: these two formats say where they end."""
    ends = {"PNG": b"IEND", "JPEG": b"\xff\xd9"}
    if kind not in ends:
        return True
    with path.open("rb") as file:
        file.seek(max(0, size - 64))
        return ends[kind] in file.read() or (kind == "JPEG" and _ends_inside(file))


def _ends_inside(file: BinaryIO) -> bool:
    """Look for the end further on than a preview can lie: phones write things of theirs behind.

    In what is packed the two bytes of the end never stand.
    """
    file.seek(HEAD_BYTES)
    last = b""
    while chunk := file.read(2**20):
        if b"\xff\xd9" in last + chunk:
            return True
        last = chunk[-1:]
    return False


def _tiff(file: BinaryIO, order: str) -> Size | None:
    """Read width and height out of its first directory, wherever that lies (TIFF 6.0)."""
    found: dict[int, int] = {}
    try:
        file.seek(4)
        file.seek(*struct.unpack(f"{order}I", file.read(4)))
        (entries,) = struct.unpack(f"{order}H", file.read(2))
        for _entry in range(min(entries, 500)):
            tag, kind, _count, raw = struct.unpack(f"{order}HHI4s", file.read(12))
            short = struct.unpack(f"{order}H", raw[:2])[0]
            found[tag] = short if kind == TIFF_SHORT else struct.unpack(f"{order}I", raw)[0]
    except struct.error:
        return None
    width, height = found.get(256, 0), found.get(257, 0)
    return ("TIFF", width, height) if width and height else None


def _same(what: str, files: Sequence[Given], job: Job) -> list[Json]:
    """Find files with the same bytes, and those of a test among them that are learned from.

    Only those of one size are read.
    """
    by_size: dict[int, list[Given]] = defaultdict(list)
    for file in files:
        by_size[file.size_bytes].append(file)
    again: list[str] = []
    leaked: list[str] = []
    for some in by_size.values():
        alike: dict[bytes, list[str]] = defaultdict(list)
        for file in some if len(some) > 1 else []:
            job.tell("same_files", path=file.path)
            alike[_digest(file.at)].append(file.path)
        for paths in alike.values():
            again += paths[1:]
            leaked += _leaked(paths)
    problems = [_named(f"leaked_{what}", leaked)] if leaked else []
    return problems + ([_named(f"same_{what}", again, "attention")] if again else [])


def _leaked(paths: Sequence[str]) -> list[str]:
    splits = {path: split_of(path) for path in paths}
    if TRAIN not in splits.values():
        return []
    return [path for path, split in splits.items() if split not in {"", TRAIN}]


def _digest(path: Path) -> bytes:
    with path.open("rb") as file:
        return hashlib.file_digest(file, "sha256").digest()


def _named(code: str, names: list[str], severity: str = "wrong") -> Json:
    told = problem(code, severity, count=len(names))
    told["paths"] = sorted(names)[:MOST_NAMED]
    return told


def _spread(values: Sequence[float]) -> Json:
    ordered = sorted(values)
    return {"min": ordered[0], "middle": ordered[len(ordered) // 2], "max": ordered[-1]}
