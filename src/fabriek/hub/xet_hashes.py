"""How the Xet protocol names things: keyed BLAKE3 of chunks, and a tree of those above them.

Facts of the public specification (huggingface.co/docs/xet, November 2026).
"""

from blake3 import blake3

HASH_BYTES = 32
HASH_SIGNS = 64
CHUNK_KEY = bytes.fromhex("6697f5775b9550de3135cbaca597181c9de421109beb2b58b4d0b04b93adf229")
NODE_KEY = bytes.fromhex("017ec5c7a5472996fd946666b48a02e65ddd536f37c76dd2f86352e64a53713f")
# A node has four children on average, never fewer than three unless no more are left.
MEAN_CHILDREN, MOST_CHILDREN, FEWEST_BEFORE_A_CUT = 4, 9, 2
WORD_BYTES = 8


def spelled(digest: bytes) -> str:
    """Write a hash as the protocol does: as four little-endian numbers, not byte by byte."""
    return b"".join(_words_turned(digest)).hex()


def unspelled(text: str) -> bytes:
    """Read what `spelled` wrote. Raises: ValueError."""
    digest = bytes.fromhex(text)
    if len(digest) != HASH_BYTES or len(text) != HASH_SIGNS:
        raise ValueError(text)
    return b"".join(_words_turned(digest))


def chunk_hash(content: bytes) -> bytes:
    return blake3(content, key=CHUNK_KEY).digest()


def xorb_hash(chunks: list[tuple[bytes, int]]) -> bytes:
    """Name a xorb by its chunks: [(hash, length)], of which there is at least one."""
    level = chunks
    while len(level) > 1:
        level = _level_above(level)
    return level[0][0]


def _level_above(level: list[tuple[bytes, int]]) -> list[tuple[bytes, int]]:
    above = []
    start = 0
    while start < len(level):
        end = _cut(level, start)
        above.append(_node(level[start:end]))
        start = end
    return above


def _cut(level: list[tuple[bytes, int]], start: int) -> int:
    end = min(start + MOST_CHILDREN, len(level))
    for at in range(start + FEWEST_BEFORE_A_CUT, end):
        if int.from_bytes(level[at][0][-WORD_BYTES:], "little") % MEAN_CHILDREN == 0:
            return at + 1
    return end


def _node(children: list[tuple[bytes, int]]) -> tuple[bytes, int]:
    lines = "".join(f"{spelled(digest)} : {length}\n" for digest, length in children)
    total = sum(length for _digest, length in children)
    return blake3(lines.encode(), key=NODE_KEY).digest(), total


def _words_turned(digest: bytes) -> list[bytes]:
    return [digest[at : at + WORD_BYTES][::-1] for at in range(0, HASH_BYTES, WORD_BYTES)]
