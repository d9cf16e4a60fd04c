"""The node's end of a line to a lab: `python -m fabriek_recipes.lab.line KEY`.

Started beside the lab by the engine, as the lab's own account. It speaks `wire` on stdin and
stdout, opens nothing, and ends when the portal's end does.
"""

from __future__ import annotations

import asyncio
import sys
from contextlib import suppress
from functools import partial
from pathlib import Path

from fabriek_recipes.lab.channel import BrokenLine
from fabriek_recipes.lab.place import place_of, require_own, socket_in, token_in
from fabriek_recipes.lab.wire import Pipes, Wire

NOT_THERE = 3


def main(key: str) -> int:
    """Carry connections to the lab of this key until the other side ends."""
    place = place_of(key)
    try:
        require_own(place)
        token = token_in(place).read_bytes()
    except OSError as why:
        sys.stderr.write(f"no lab of ours is here: {why}\n")
        return NOT_THERE
    asyncio.run(_carry(place, token))
    return 0


async def _carry(place: Path, token: bytes) -> None:
    connect = partial(asyncio.open_unix_connection, str(socket_in(place)))
    wire = Wire(await _standard_pipes(), connect)
    with suppress(BrokenLine, OSError):
        await wire.greet(token)
        await wire.run()


async def _standard_pipes() -> Pipes:
    loop = asyncio.get_running_loop()
    reader = asyncio.StreamReader()
    protocol = asyncio.StreamReaderProtocol(reader)
    await loop.connect_read_pipe(lambda: protocol, sys.stdin.buffer)
    transport, flow = await loop.connect_write_pipe(
        asyncio.streams.FlowControlMixin, sys.stdout.buffer
    )
    return reader, asyncio.StreamWriter(transport, flow, reader, loop)


if __name__ == "__main__":
    sys.exit(main(sys.argv[1]))
