"""What kind of file this is, by its first bytes, then its name. Pickles are never opened."""

import re
import zipfile
from pathlib import Path

from fabriek.quality.worker.job import Given

TABLES = {
    ".csv": "csv",
    ".tsv": "csv",
    ".jsonl": "jsonl",
    ".ndjson": "jsonl",
    ".json": "json",
    ".parquet": "parquet",
    ".txt": "text",
    ".md": "text",
}
# Notes that come with data; their rows are no rows to learn from.
NOTES = {
    "readme.md",
    "readme.txt",
    "license",
    "license.txt",
    "license.md",
    "dataset_infos.json",
}
PICTURES = (".png", ".jpg", ".jpeg", ".gif", ".bmp", ".webp", ".tif", ".tiff")
SOUNDS = (".wav", ".flac", ".mp3", ".ogg", ".m4a")
KINDS = TABLES | dict.fromkeys(PICTURES, "image") | dict.fromkeys(SOUNDS, "audio")
ZIP, PARQUET = b"PK\x03\x04", b"PAR1"
# Protocols 2 to 5: PROTO, its number, then a FRAME or an opcode that one begins with.
PICKLE = re.compile(rb"\x80[\x02-\x05](?:\x95|[cj}\](X\x8a\x8c)qGKMN])", re.DOTALL)
PICKLE_NAMES = {".pkl", ".pickle", ".pt", ".pth", ".ckpt", ".joblib", ".dill"}
MOST_IN_ZIP = 100_000
ZIP_TIMES_LARGER = 200
HEAD_BYTES = 64


def kind_of(file: Given) -> str:
    """Give csv, jsonl, json, parquet, text, image, audio, pickle, zip, note or other."""
    with file.at.open("rb") as opened:
        head = opened.read(HEAD_BYTES)
    ending = ending_of(file.path)
    if head.startswith(ZIP):
        return "pickle" if ending in PICKLE_NAMES else "zip"
    if PICKLE.match(head) or ending in PICKLE_NAMES:
        return "pickle"
    if head.startswith(PARQUET):
        return "parquet"
    if Path(file.path).name.casefold() in NOTES:
        return "note"
    return KINDS.get(ending, "other")


def ending_of(path: str) -> str:
    """Give the ending below a `.gz`: what is in it."""
    name = path.casefold().rpartition("/")[2].removesuffix(".gz")
    return name[name.rfind(".") :] if "." in name else ""


def inside_zip(at: Path) -> tuple[str, list[str]]:
    """Say what is wrong with an archive, by its list only: nothing is unpacked.

    Gives "bomb", "broken_zip", "pickle" or "", and the names of what may be pickles.
    """
    try:
        with zipfile.ZipFile(at) as archive:
            listed = archive.infolist()
    except (zipfile.BadZipFile, OSError, ValueError, NotImplementedError, RuntimeError):
        return "broken_zip", []
    size, packed = sum(i.file_size for i in listed), sum(i.compress_size for i in listed)
    if len(listed) > MOST_IN_ZIP or size > ZIP_TIMES_LARGER * max(packed, 2**20):
        return "bomb", []
    names = [one.filename for one in listed if ending_of(one.filename) in PICKLE_NAMES]
    return ("pickle" if names else ""), names
