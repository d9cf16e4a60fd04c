"""Large files of which the portal surely has nothing: they are sent without being hashed first.

To hash a file takes as long as to send it to a portal that is near, and the portal hashes it
anyway. So it is asked for the sizes that it has: of another size than all of those is only what
it lacks. Each part is proved on its way, and the file must be at the end what it was.
"""

import time
from collections import Counter
from functools import partial

from fabriek.cli import data_patience, data_tus, http
from fabriek.cli.data_found import Files, Look
from fabriek.cli.data_index import TOO_FRESH_NS, Index
from fabriek.cli.data_sender import Sender
from fabriek.cli.data_tus import Sending

ASKED_AT_ONCE = 5000


def surely_new(code: str, large: Files, look: Look, index: Index) -> Files:
    """Choose those to be sent unread; ends with a refusal where nothing may be sent.

    Not what was hashed before; not two of one size, which may be the same; and not what says
    to be of the future, as a change to it could go unseen.
    """
    known = index.known(large.values(), look.sources)
    count = Counter(file.size_bytes for file in large.values())
    asked = {
        name: file
        for name, file in large.items()
        if count[file.size_bytes] == 1
        and file.path not in known
        and file.changed_ns < look.at_ns
    }
    lacking = _sizes_lacking(code, [file.size_bytes for file in asked.values()])
    return {name: file for name, file in asked.items() if file.size_bytes in lacking}


def send(files: Files, index: Index, sender: Sender) -> dict[str, str]:
    """Send them, and give {name: SHA-256} once all are there."""
    begun_ns = _clearly_after(max((file.changed_ns for file in files.values()), default=0))
    sha256s: dict[str, str] = {}

    def send_one(name: str) -> None:
        sending = Sending(
            code=sender.code,
            name=name,
            file=files[name],
            index=index,
            told=sender.told,
            pause=sender.beside.stopping.pause,
        )
        sha256s[name] = data_tus.send(sending)
        # At once: what comes after may fail, and this need never be sent again.
        index.keep([(files[name], sha256s[name])], read_at_ns=begun_ns)

    for name in files:
        sender.beside.begin(partial(send_one, name))
    sender.beside.wait()
    sender.seen.update(sha256s.values())
    return sha256s


def _clearly_after(changed_ns: int) -> int:
    """Wait until a change from now on would show, 0.1 s at most; give the time."""
    while (now_ns := time.time_ns()) <= changed_ns + TOO_FRESH_NS:
        time.sleep(TOO_FRESH_NS / 1e9)
    return now_ns


def _sizes_lacking(code: str, sizes: list[int]) -> set[int]:
    lacking: set[int] = set()
    for start in range(0, max(1, len(sizes)), ASKED_AT_ONCE):
        asked = {"size": sizes[start : start + ASKED_AT_ONCE]}
        ask = partial(http.send, "POST", f"datasets/{code}/missing", json=asked)
        answer = data_patience.repeated(ask)
        lacking.update(answer.get("size", []))  # an older portal says nothing
    return lacking
