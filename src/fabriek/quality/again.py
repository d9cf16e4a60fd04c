"""Goes on after a file that was too much for a worker, in a fresh one: no other suffers of it.

A file that ran out of memory behind others may be innocent. It is read first the next time: if
it fails then it is left out and named. If not, it suffered from the one that took most.
"""

import json
from pathlib import Path

from fabriek.quality import folders
from fabriek.quality.folders import ASKED, PID, READING, RESULT, Json

MOST_AGAIN = 6
MOST_NAMED = 3


def lay(folder: Path) -> bool:
    """Lay the folder out for a fresh worker; not where that would end the same way.

    A loop that is killed in here starts the same worker anew, and blames nobody for it.
    """
    asked = json.loads((folder / ASKED).read_text())
    changed = _changed(asked, folders.told(folder, READING) or {})
    if changed is None or asked.get("again", 0) >= MOST_AGAIN:
        return False
    for name in (PID, RESULT, READING):
        (folder / name).unlink(missing_ok=True)
    part = (folder / ASKED).with_suffix(".part")
    part.write_text(json.dumps(asked | changed | {"again": asked.get("again", 0) + 1}))
    part.replace(folder / ASKED)
    return True


def left_out(folder: Path) -> str:
    """Name some of the files that were left out so far."""
    asked = json.loads((folder / ASKED).read_text())
    aside = asked.get("aside", {})
    paths = [one["path"] for one in asked["files"] if one["name"] in aside]
    return ", ".join(f"“{path}”" for path in paths[:MOST_NAMED])


def _changed(asked: Json, reading: Json) -> Json | None:
    """Say what to ask of the next one. What the last one told may be a stranger's by now."""
    known = {one["name"] for one in asked["files"]}
    told = reading.get("guilty")
    guilty = [one for one in told if _known(one, known)] if isinstance(told, list) else []
    name, heaviest = (_known(reading.get(key), known) for key in ("name", "heaviest"))
    aside, tried = asked.get("aside", {}), asked.get("tried", [])
    if guilty:
        found = dict.fromkeys(guilty, "too_much_memory")
    elif name and name not in tried:
        return {"first": name, "tried": [*tried, name]}
    elif name and name == asked.get("first"):
        found = {name: "stopped_reading"}
    elif heaviest and not reading.get("is_fair"):
        found = {heaviest: "none_left_beside"}
    else:
        return None
    return {"aside": aside | found, "first": ""}


def _known(name: object, known: set[str]) -> str:
    return name if isinstance(name, str) and name in known else ""
