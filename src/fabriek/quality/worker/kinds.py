"""What kind of file this is, by its first bytes, then its name. Pickles are never opened."""

import re
import zipfile
from pathlib import Path

from fabriek.kernel import pickles
from fabriek.kernel.pickles import ending_of
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
# Notes that come with data: read for personal data, but no rows to learn from.
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
# What offices work with: their rows and text are there, and not read.
WORKBOOKS = {".xlsx", ".xlsm", ".xlsb", ".xls", ".ods"}
DOCUMENTS = {".docx", ".doc", ".odt", ".rtf", ".pdf", ".pptx", ".ppt", ".odp", ".msg", ".eml"}
ARCHIVES = {".tar", ".tgz", ".7z", ".rar", ".xz", ".bz2"}
KINDS = TABLES | dict.fromkeys(PICTURES, "image") | dict.fromkeys(SOUNDS, "audio")
PARQUET = b"PAR1"
MOST_IN_ZIP = 100_000
ZIP_TIMES_LARGER = 200
NOTE_BYTES = 2**18  # larger ones of a kind that is not known are not opened
CONTROLS = re.compile(rb"[\x00-\x08\x0e-\x1a]")


def kind_of(file: Given) -> str:
    """Give csv, jsonl, json, parquet, text, image, audio, pickle, zip, note or other."""
    with file.at.open("rb") as opened:
        head = opened.read(pickles.HEAD_BYTES)
    ending = ending_of(file.path)
    if head.startswith(pickles.ZIP):
        return "pickle" if ending in pickles.NAMES else "zip"
    if ending in pickles.NAMES or pickles.begins_so(head):
        return "pickle"
    if head.startswith(PARQUET):
        return "parquet"
    if Path(file.path).name.casefold() in NOTES:
        return "note"
    kind = KINDS.get(ending, "other")
    return "note" if kind == "other" and _is_small_text(file) else kind


def _is_small_text(file: Given) -> bool:
    """Tell by all of its bytes, as its name says nothing."""
    if not 0 < file.size_bytes <= NOTE_BYTES:
        return False
    content = file.at.read_bytes()
    try:
        content.decode()
    except UnicodeDecodeError:
        return False
    return not CONTROLS.search(content)


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
    names = [one.filename for one in listed if ending_of(one.filename) in pickles.NAMES]
    return ("pickle" if names else ""), names


def unread_kind(path: str) -> str:
    """Say by its name what is not opened and may hold much: a workbook, document, archive."""
    ending = ending_of(path)
    if ending in WORKBOOKS:
        return "workbooks"
    if ending in DOCUMENTS:
        return "documents"
    return "archive" if ending in ARCHIVES else ""
