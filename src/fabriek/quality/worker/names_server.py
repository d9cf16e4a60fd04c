"""Reads names out of text with `deduce`, line by line, under the Python that has it.

python names_server.py CACHE MEMORY_BYTES    answers questions
python names_server.py CACHE                 builds the look-up tables once, a minute
"""

import json
import logging
import sys
from pathlib import Path

# Under the other Python this file stands alone, beside the one that closes the walls.
sys.path.append(str(Path(__file__).parent))

import confine  # type: ignore[import-not-found]  # it is found beside this file
from deduce import Deduce

CPU_S = 6 * 3600
FILE_BYTES = 2**20
# Only names are asked for; the rest is found by our own rules.
NOT_ASKED = {"dates", "ages", "locations", "institutions", "phone_numbers", "email_addresses",
             "urls", "identifiers"}  # fmt: skip


def main() -> None:
    logging.disable(logging.CRITICAL)
    cache = Path(sys.argv[1])
    if len(sys.argv) == 2:  # noqa: PLR2004
        cache.mkdir(parents=True, exist_ok=True)
        Deduce(cache_path=cache, build_lookup_structs=True)
        return
    confine.limit(
        confine.Limits(memory_bytes=int(sys.argv[2]), file_bytes=FILE_BYTES, cpu_s=CPU_S)
    )
    reader = Deduce(cache_path=cache)
    confine.hold(
        readable=[Path(sys.prefix), Path(sys.base_prefix)], writable=[], no_network=True
    )
    for line in sys.stdin:
        asked = json.loads(line)
        answer = _names(reader, asked["text"]) if "text" in asked else "ready"
        print(json.dumps(answer), flush=True)  # noqa: T201  the answer


def _names(reader: Deduce, text: str) -> list[tuple[int, int]]:
    found = reader.deidentify(text, disabled=NOT_ASKED).annotations
    kinds = {"persoon", "patient"}
    return sorted((one.start_char, one.end_char) for one in found if one.tag in kinds)


if __name__ == "__main__":
    main()
