"""The whole list of allocations as a file, streamed."""

import time

from bench.peers import NEAREST
from bench.server import Server
from bench.table import Table
from bench.visitors import key_for, with_token
from bench.world.people import People

TIMES = 3
GOAL_S = 2.0
ADDRESSES = ("/api/allocations/export.csv", "/api/allocations/export.jsonl")


def measure(server: Server, people: People) -> Table:
    headers = with_token(key_for(people.staff))
    return Table(
        title="Full export of allocations",
        header=("address", "rows", "KiB", "first byte s", "whole s", "CPU s", "goal s", "met",
                "nearest peer"),
        rows=[_row(server, address, headers) for address in ADDRESSES],
        note=f"The median of {TIMES} by the whole time, asked by staff.",
    )  # fmt: skip


def _row(server: Server, address: str, headers: dict[str, str]) -> tuple[object, ...]:
    found = sorted((_fetch(server, address, headers) for _ in range(TIMES)), key=lambda x: x[3])
    rows, kib, first_s, whole_s, cpu_s = found[TIMES // 2]
    met = "yes" if rows and whole_s <= GOAL_S else "NO"
    return (address, rows, kib, first_s, whole_s, cpu_s, GOAL_S, met, NEAREST["export"])


def _fetch(
    server: Server, address: str, headers: dict[str, str]
) -> tuple[int, float, float, float, float]:
    http = server.connect()
    cpu_s, start = server.cpu_s(), time.perf_counter()
    http.request("GET", address, headers=headers)
    answer = http.getresponse()
    body = [answer.read1(2**16)]
    first_s = time.perf_counter() - start
    while piece := answer.read1(2**16):
        body.append(piece)
    whole_s = time.perf_counter() - start
    http.close()
    text = b"".join(body)
    rows = text.count(b"\n") - address.endswith(".csv") if answer.status == 200 else 0
    return rows, len(text) / 1024, first_s, whole_s, server.cpu_s() - cpu_s
