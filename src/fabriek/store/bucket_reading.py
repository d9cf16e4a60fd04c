"""Objects of a bucket: asked for, read in parts, sent; trouble said in our own words."""

import io
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from boto3.exceptions import Boto3Error
from boto3.s3.transfer import TransferConfig
from botocore.exceptions import BotoCoreError, ClientError

from fabriek.store import base
from fabriek.store.incoming import CHUNK_BYTES

AHEAD_BYTES = 8 * 2**20  # a request costs milliseconds: small ones would be most of the time
# 10,000 parts are the most an object may have: of 64 MiB each, that is 625 GiB.
SENDING = TransferConfig(multipart_threshold=64 * 2**20, multipart_chunksize=64 * 2**20)
ALIVE_S = 60
NOT_THERE = {"404", "NoSuchKey", "NotFound"}
NOT_SO_LONG = {"416", "InvalidRange"}


@dataclass(frozen=True, slots=True)
class Bucket:
    """The part of a bucket below `prefix`, through a client of boto3 (safe between threads)."""

    client: Any
    name: str
    prefix: str

    def size_bytes(self, key: str) -> int | None:
        """Give the size of an object, None when there is none. Raises: StoreDown."""
        found = self._found(key)
        return int(found["ContentLength"]) if found else None

    def mark(self, key: str) -> str:
        """Tell whether it is still the same object: another one of its size is another mark."""
        found = self._found(key)
        return f"{found.get('ETag', '')}-{found['ContentLength']}" if found else ""

    def _found(self, key: str) -> Any:  # noqa: ANN401  what the client answers
        try:
            with _spoken():
                return self.client.head_object(Bucket=self.name, Key=self._whole(key))
        except base.Damaged:
            return None

    def send(self, key: str, path: Path, *, alive: Callable[[], None]) -> None:
        """Put a file there, whole or not at all; its parts are checked by their CRC.

        `alive` is called while it goes on, once a minute or so. Raises: StoreDown.
        """
        with _spoken():
            self.client.upload_file(
                str(path),
                self.name,
                self._whole(key),
                ExtraArgs={"ChecksumAlgorithm": "CRC32"},
                Callback=_seldom(alive),
                Config=SENDING,
            )

    def pieces(self, key: str, first: int, size_bytes: int) -> Iterator[bytes]:
        """Read a part. Raises: Damaged, when it is not there or shorter; StoreDown."""
        if not size_bytes:
            return
        left = size_bytes
        asked = f"bytes={first}-{first + size_bytes - 1}"
        with _spoken():
            found = self.client.get_object(Bucket=self.name, Key=self._whole(key), Range=asked)
            for piece in found["Body"].iter_chunks(CHUNK_BYTES):
                left -= len(piece)
                yield piece
        if left:
            raise base.damaged()

    def copy(self, key: str, target: str) -> None:
        """Copy within the bucket. Raises: Damaged, StoreDown."""
        source = {"Bucket": self.name, "Key": self._whole(key)}
        with _spoken():
            self.client.copy(source, self.name, self._whole(target), Config=SENDING)

    def remove(self, key: str) -> None:
        with _spoken():
            self.client.delete_object(Bucket=self.name, Key=self._whole(key))

    def below(self, start: str) -> Iterator[tuple[str, float]]:
        """Name objects below `start`, each with when it was put there (seconds since 1970)."""
        pages = self.client.get_paginator("list_objects_v2")
        with _spoken():
            for page in pages.paginate(Bucket=self.name, Prefix=self._whole(start)):
                for found in page.get("Contents", ()):
                    name = found["Key"].removeprefix(self._whole(""))
                    yield name, found["LastModified"].timestamp()

    def drop_unfinished(self, *, before: float) -> int:
        """Let go of sendings in parts that were broken off: they cost room, unseen."""
        dropped = 0
        pages = self.client.get_paginator("list_multipart_uploads")
        with _spoken():
            for page in pages.paginate(Bucket=self.name, Prefix=self._whole("")):
                for found in page.get("Uploads", ()):
                    if found["Initiated"].timestamp() < before:
                        self.client.abort_multipart_upload(
                            Bucket=self.name, Key=found["Key"], UploadId=found["UploadId"]
                        )
                        dropped += 1
        return dropped

    def _whole(self, key: str) -> str:
        return f"{self.prefix}/{key}" if self.prefix else key


def _seldom(alive: Callable[[], None]) -> Callable[[int], None]:
    last = float("-inf")

    def told(_size_bytes: int) -> None:
        nonlocal last
        if time.monotonic() - last > ALIVE_S:
            last = time.monotonic()
            alive()

    return told


@contextmanager
def _spoken() -> Iterator[None]:
    """Turn the errors of the client into ours."""
    try:
        yield
    except ClientError as error:
        code = str(error.response.get("Error", {}).get("Code"))
        if code in NOT_THERE | NOT_SO_LONG:
            raise base.damaged() from error
        raise base.store_down() from error
    except (BotoCoreError, Boto3Error) as error:
        raise base.store_down() from error


class Ranged(io.RawIOBase):
    """One object as a file that can be wound to any place; each read is a request."""

    def __init__(self, bucket: Bucket, key: str, size_bytes: int) -> None:
        self._bucket, self._key, self._size = bucket, key, size_bytes
        self._at = 0

    def readable(self) -> bool:
        return True

    def seekable(self) -> bool:
        return True

    def tell(self) -> int:
        return self._at

    def seek(self, offset: int, whence: int = io.SEEK_SET) -> int:
        start = {io.SEEK_SET: 0, io.SEEK_CUR: self._at, io.SEEK_END: self._size}[whence]
        self._at = max(0, start + offset)
        return self._at

    def readall(self) -> bytes:
        """Read the rest in one request: Python's own would ask for some kilobytes each time."""
        rest = b"".join(self._bucket.pieces(self._key, self._at, max(0, self._size - self._at)))
        self._at += len(rest)
        return rest

    def readinto(self, memory: Any) -> int:  # noqa: ANN401  any buffer will do
        view = memoryview(memory)
        wanted = max(0, min(len(view), self._size - self._at))
        filled = 0
        for piece in self._bucket.pieces(self._key, self._at, wanted):
            view[filled : filled + len(piece)] = piece
            filled += len(piece)
        self._at += filled
        return filled
