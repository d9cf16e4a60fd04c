"""Bytes in a bucket that speaks S3, with a folder near by for what is used.

    <prefix>/<organisation>/<first two signs>/<sha256>    what is kept
    <prefix>/packs/<organisation>/<key>
    <prefix>/quarantine/<organisation>/<sha256>-<moment>

The bucket is what counts. The folder (`near`) is laid out as that of a factory without a
bucket: what is sent is written and hashed there first, as an object's name is its hash, and
stays for as long as there is room. So a download of what was used lately, and a run on it, read
from the disk, and a job's inputs are links as ever.

Two rules keep a sweep from removing what somebody sends again at that moment. Who takes in
gives the bytes their name in the folder, with the time of now, before asking whether the bucket
has them; who removes looks at that time under the lock that naming waits for. Portals on
several hosts need one folder for this.
"""

import fcntl
import hashlib
import io
import time
from collections.abc import Iterable, Iterator, Sequence
from contextlib import AbstractContextManager
from dataclasses import dataclass
from pathlib import Path
from typing import Any, BinaryIO
from urllib.parse import urlsplit

import boto3
from blake3 import blake3
from botocore.config import Config

from fabriek.kernel import strange
from fabriek.store import base, packs
from fabriek.store.base import Brought, Harm, Kept, Looked, Pace
from fabriek.store.bucket_bringing import Bringing
from fabriek.store.bucket_reading import AHEAD_BYTES, Bucket, Ranged
from fabriek.store.files import FolderStore
from fabriek.store.incoming import Received, Source
from fabriek.store.singles import Singles, checked

PACKS = "packs"
QUARANTINE = "quarantine"
TRIES = 5
ANSWER_S = 60


def opened(address: str, *, endpoint: str, near: Path, near_bytes: int) -> "BucketStore":
    """Open `s3://bucket/prefix`; keys and region come from where boto3 always looks."""
    parts = urlsplit(address)
    patience = Config(
        retries={"max_attempts": TRIES, "mode": "standard"},
        connect_timeout=ANSWER_S,
        read_timeout=ANSWER_S,
    )
    client: Any = boto3.client("s3", endpoint_url=endpoint or None, config=patience)
    bucket = Bucket(client, parts.netloc, parts.path.strip("/"))
    folder = FolderStore(near)
    return BucketStore(bucket, folder, Bringing(bucket, folder, limit_bytes=near_bytes))


@dataclass(frozen=True, slots=True)
class BucketStore:
    bucket: Bucket
    near: FolderStore
    bringing: Bringing

    # --- taking in -----------------------------------------------------------------------
    def receive(
        self,
        organisation_id: int,
        source: Source,
        *,
        limit_bytes: int,
        expected_sha256: str | None = None,
    ) -> Received:
        received = self.near.receive(
            organisation_id, source, limit_bytes=limit_bytes, expected_sha256=expected_sha256
        )
        self._send(organisation_id, received)
        return received

    def adopt(
        self,
        organisation_id: int,
        path: Path,
        *,
        limit_bytes: int,
        within: strange.Place | None = None,
        known: Received | None = None,
    ) -> Received:
        received = self.near.adopt(
            organisation_id, path, limit_bytes=limit_bytes, within=within, known=known
        )
        self._send(organisation_id, received)
        return received

    def keep_pack(self, organisation_id: int, pieces: Iterable[bytes]) -> str:
        key = self.near.keep_pack(organisation_id, pieces)
        if key:
            self.bucket.send(
                pack_name(organisation_id, key), self._near_pack(organisation_id, key)
            )
        return key

    def _send(self, organisation_id: int, received: Received) -> None:
        name = single_name(organisation_id, received.sha256)
        if self.bucket.size_bytes(name) != received.size_bytes:
            self.bucket.send(name, self._singles(organisation_id).path(received.sha256))

    # --- giving out ----------------------------------------------------------------------
    def has(self, kept: Kept) -> bool:
        size_bytes = self.bucket.size_bytes(name_of(kept))
        if size_bytes is None:
            return False
        if kept.pack_id is None:
            return size_bytes == kept.size_bytes
        return size_bytes >= kept.pack_offset + kept.size_bytes

    def open(self, kept: Kept) -> BinaryIO:
        """Open what is near as a file of the disk, and read the rest in parts as it is asked.

        A part of a pack is small: it is read whole and compared.
        """
        if self.near.has(kept):
            self.bringing.touch(kept)
            return self.near.open(kept)
        if kept.pack_id is not None:
            return io.BytesIO(self._compared(kept))
        if self.bucket.size_bytes(name_of(kept)) != kept.size_bytes:
            raise base.damaged()
        return io.BufferedReader(
            Ranged(self.bucket, name_of(kept), kept.size_bytes), AHEAD_BYTES
        )

    def materialise(self, kept: Kept, target: Path) -> None:
        self.lay_out([(kept, target)])

    def lay_out(self, wanted: Iterable[tuple[Kept, Path]]) -> None:
        """Bring near what is not, and wait for it; then as a folder does."""
        pairs = list(wanted)
        self.bringing.bring_now([kept for kept, _target in pairs])
        self.near.lay_out(pairs)

    def bring(self, wanted: Sequence[Kept]) -> Brought:
        return self.bringing.begin(wanted)

    def under_name(self, kept: Kept, name: str) -> AbstractContextManager[Path]:
        self.bringing.bring_now([kept])
        return self.near.under_name(kept, name)

    # --- looking after -------------------------------------------------------------------
    def verify(self, kept: Kept) -> bool:
        return self.look(kept, pace=lambda _size_bytes: None).harm is None

    def look(self, kept: Kept, *, pace: Pace) -> Looked:
        """Read what the bucket holds, whatever lies near. Raises: StoreDown."""
        fast, slow = blake3(), hashlib.sha256()
        offset = kept.pack_offset if kept.pack_id is not None else 0
        found = self.bucket.size_bytes(name_of(kept))
        if found is None:
            return Looked(harm=Harm.GONE)
        if found < offset + kept.size_bytes or (not kept.pack_id and found > kept.size_bytes):
            return Looked(harm=Harm.SHORT, mark=str(found))
        for piece in self.bucket.pieces(name_of(kept), offset, kept.size_bytes):
            fast.update(piece)
            if not kept.blake3:
                slow.update(piece)
            pace(len(piece))
        is_same = (
            fast.hexdigest() == kept.blake3 if kept.blake3 else slow.hexdigest() == kept.sha256
        )
        harm = None if is_same else Harm.CHANGED
        return Looked(harm=harm, blake3=fast.hexdigest(), mark=str(found))

    def quarantine(self, kept: Kept, found: Looked) -> str:
        """Copy damaged bytes aside; a single is removed then, with what lies near of it."""
        name = f"{kept.sha256}-{time.time_ns()}"
        with self._singles(kept.organisation_id).locked(fcntl.LOCK_EX):
            if str(self.bucket.size_bytes(name_of(kept))) != found.mark:
                return ""
            self.bucket.copy(name_of(kept), f"{QUARANTINE}/{kept.organisation_id}/{name}")
            if kept.pack_id is None:
                self.bucket.remove(name_of(kept))
        return name

    # --- removing ------------------------------------------------------------------------
    def discard(self, kept: Kept, *, untouched_since: float) -> bool:
        if kept.pack_id is not None:
            return False
        singles = self._singles(kept.organisation_id)
        path = singles.path(kept.sha256)
        with singles.locked(fcntl.LOCK_EX):
            if path.is_file() and path.stat().st_mtime >= untouched_since:
                return False
            if self.bucket.size_bytes(name_of(kept)) is None:
                return False
            self.bucket.remove(name_of(kept))
            path.unlink(missing_ok=True)
            return True

    def release(self, organisation_id: int, key: str, named: Sequence[tuple[int, int]]) -> bool:  # noqa: ARG002
        """Say no: an object has no holes. A sweep writes a pack anew that is mostly waste."""
        return False

    def drop_pack(self, organisation_id: int, key: str) -> None:
        self.bucket.remove(pack_name(organisation_id, key))
        self.near.drop_pack(organisation_id, key)

    def pack_keys(self, *, before: float) -> Iterator[tuple[int, str]]:
        for name, put_at in self.bucket.below(f"{PACKS}/"):
            _packs, organisation_id, key = name.split("/")
            if put_at < before:
                yield int(organisation_id), key

    def sweep_temporary(self, *, before: float) -> int:
        self.bringing.make_room()
        return self.near.sweep_temporary(before=before) + self.bucket.drop_unfinished(
            before=before
        )

    # --- where things are ----------------------------------------------------------------
    def _compared(self, kept: Kept) -> bytes:
        content = b"".join(self.bucket.pieces(name_of(kept), kept.pack_offset, kept.size_bytes))
        if hashlib.sha256(content).hexdigest() != kept.sha256:
            raise base.damaged()
        return content

    def _singles(self, organisation_id: int) -> Singles:
        return Singles(self.near.home / str(int(organisation_id)))

    def _near_pack(self, organisation_id: int, key: str) -> Path:
        return packs.path_of(self.near.home / str(int(organisation_id)), key)


def name_of(kept: Kept) -> str:
    """Name the object that the bytes lie in."""
    if kept.pack_id is not None:
        return pack_name(kept.organisation_id, kept.pack_id)
    return single_name(kept.organisation_id, kept.sha256)


def single_name(organisation_id: int, sha256: str) -> str:
    return f"{int(organisation_id)}/{checked(sha256)[:2]}/{sha256}"


def pack_name(organisation_id: int, key: str) -> str:
    return f"{PACKS}/{int(organisation_id)}/{key}"
