"""Make the demo's data from the phrases beside this file, the same each time.

Usage: python dev/corpus/make.py            writes the three files and measures them
       python dev/corpus/make.py --check    only says whether the files are what it makes
"""

import argparse
import json
import sys
from pathlib import Path

HERE = Path(__file__).resolve().parent
sys.path.insert(0, str(HERE))

from measure import complaints, report  # noqa: E402
from messages import Row, rows  # noqa: E402
from plain_text import plain_text  # noqa: E402

DATA = HERE.parents[1] / "src" / "fabriek" / "demo" / "data"


def main() -> int:
    parser = argparse.ArgumentParser(description="Make the demo's data.")
    parser.add_argument("--check", action="store_true", help="write nothing, compare")
    check = parser.parse_args().check
    training, held_out = rows()
    files = {
        "berichten.jsonl": as_jsonl(training),
        "berichten_apart.jsonl": as_jsonl(held_out),
        "tekst.txt": plain_text(),
    }
    if not check:
        write(files)
    found = complaints(training, held_out) + (differences(files) if check else [])
    print(report(training, held_out, files["tekst.txt"]))
    for complaint in found:
        print(f"WRONG: {complaint}")
    return 1 if found else 0


def as_jsonl(made: list[Row]) -> str:
    lines = ({"prompt": row.prompt, "completion": row.completion} for row in made)
    return "".join(json.dumps(line, ensure_ascii=False) + "\n" for line in lines)


def write(files: dict[str, str]) -> None:
    DATA.mkdir(parents=True, exist_ok=True)
    for name, text in files.items():
        (DATA / name).write_text(text, encoding="utf-8", newline="\n")


def differences(files: dict[str, str]) -> list[str]:
    return [
        f"{name} is not what the phrases make; run python dev/corpus/make.py"
        for name, text in files.items()
        if not (DATA / name).is_file() or (DATA / name).read_text(encoding="utf-8") != text
    ]


if __name__ == "__main__":
    sys.exit(main())
