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
import logging
import time
from collections.abc import Iterable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import Any, BinaryIO
from urllib.parse import urlsplit

import boto3
from blake3 import blake3
from botocore.config import Config

from fabriek.kernel import strange
from fabriek.store import base, looking, packs, suspects
from fabriek.store.base import Brought, Harm, Kept, Looked, Pace
from fabriek.store.bucket_bringing import Bringing, used
from fabriek.store.bucket_names import PACKS, name_of, pack_name, place_of, single_name
from fabriek.store.bucket_reading import AHEAD_BYTES, Bucket, Ranged
from fabriek.store.files import FolderStore
from fabriek.store.incoming import Received, Source
from fabriek.store.singles import Singles

QUARANTINE = "quarantine"
TRIES = 5
ANSWER_S = 60

log = logging.getLogger(__name__)


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
            organisation_id,
            source,
            limit_bytes=limit_bytes,
            expected_sha256=expected_sha256,
            stays_at_hand=True,  # it is read at once, to be sent on
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
            path = packs.path_of(self.near.home / str(int(organisation_id)), key)
            self._put(pack_name(organisation_id, key), path)
        return key

    def _send(self, organisation_id: int, received: Received) -> None:
        """Send what lies near, which was compared a moment ago, unless the bucket has it."""
        name = single_name(organisation_id, received.sha256)
        is_ill = suspects.is_noted(self.near.home, organisation_id, received.sha256)
        if is_ill or self.bucket.size_bytes(name) != received.size_bytes:
            self._put(name, self._singles(organisation_id).path(received.sha256))

    def _put(self, name: str, path: Path) -> None:
        """Send a file that must not make room for others meanwhile."""
        self.bucket.send(name, path, alive=partial(used, path))

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

        A part of a pack is small: it is read whole and compared. What turns out damaged near
        says nothing of the bucket, which is asked then.
        """
        if self.near.has(kept):
            self.bringing.touch(kept)
            try:
                return self.near.open(kept)
            except base.Damaged:
                self._forget_near([kept])
        with suspects.noting(self.near.home, kept):
            if kept.pack_id is not None:
                return io.BytesIO(self._compared(kept))
            if self.bucket.size_bytes(name_of(kept)) != kept.size_bytes:
                raise base.damaged(kept)
        return io.BufferedReader(
            Ranged(self.bucket, name_of(kept), kept.size_bytes), AHEAD_BYTES
        )

    def materialise(self, kept: Kept, target: Path) -> None:
        self.lay_out([(kept, target)])

    def lay_out(self, wanted: Iterable[tuple[Kept, Path]]) -> None:
        """Bring near what is not, and wait for it; then as a folder does.

        A pack that turns out damaged near is brought once more: the bucket is what counts.
        """
        pairs = list(wanted)
        all_of_them = [kept for kept, _target in pairs]
        with suspects.noting(self.near.home, None):
            self.bringing.bring_now(all_of_them)
            try:
                self.near.lay_out(pairs)
            except base.Damaged as error:
                self._forget_near([error.kept] if error.kept else all_of_them)
                self.bringing.bring_now(all_of_them)
                self.near.lay_out(pairs)

    def bring(self, wanted: Sequence[Kept]) -> Brought:
        with suspects.noting(self.near.home, None):
            return self.bringing.begin(wanted)

    @contextmanager
    def under_name(self, kept: Kept, name: str) -> Iterator[Path]:
        """Lend it out of a folder beside what lies near; a pack is brought anew if need be."""
        with self.near.lent(kept, name) as path:
            self.materialise(kept, path)
            yield path

    # --- looking after -------------------------------------------------------------------
    def verify(self, kept: Kept) -> bool:
        return self.look(kept, pace=lambda _size_bytes: None).harm is None

    def look(self, kept: Kept, *, pace: Pace) -> Looked:
        """Read what the bucket holds, and what lies near, as that is what is given out.

        What is damaged near only is no harm: it is removed. Raises: StoreDown.
        """
        looked = self._look_far(kept, pace=pace)
        if looked.harm is None:
            self._drop_ill_near(kept, pace=pace)
        return looked

    def _look_far(self, kept: Kept, *, pace: Pace) -> Looked:
        fast, slow = blake3(), hashlib.sha256()
        offset = kept.pack_offset if kept.pack_id is not None else 0
        mark = self.bucket.mark(name_of(kept))
        if not mark:
            return Looked(harm=Harm.GONE)
        found = int(mark.rpartition("-")[2])
        if found < offset + kept.size_bytes or (not kept.pack_id and found > kept.size_bytes):
            return Looked(harm=Harm.SHORT, mark=mark)
        for piece in self.bucket.pieces(name_of(kept), offset, kept.size_bytes):
            fast.update(piece)
            if not kept.blake3:
                slow.update(piece)
            pace(len(piece))
        is_same = (
            fast.hexdigest() == kept.blake3 if kept.blake3 else slow.hexdigest() == kept.sha256
        )
        harm = None if is_same else Harm.CHANGED
        return Looked(harm=harm, blake3=fast.hexdigest(), mark=mark)

    def quarantine(self, kept: Kept, found: Looked) -> str:
        """Copy damaged bytes aside; a single is removed then, and what is damaged near goes.

        What lies near whole stays: it may be all that is left (see `damages._places`).
        """
        self._drop_ill_near(kept, pace=looking.unhurried)
        name = f"{kept.sha256}-{time.time_ns()}"
        with self._singles(kept.organisation_id).locked(fcntl.LOCK_EX):
            if not found.mark or self.bucket.mark(name_of(kept)) != found.mark:
                return ""
            self.bucket.copy(name_of(kept), f"{QUARANTINE}/{kept.organisation_id}/{name}")
            if kept.pack_id is None:
                self.bucket.remove(name_of(kept))
        return name

    def _drop_ill_near(self, kept: Kept, *, pace: Pace) -> None:
        beside = self.near.look(kept, pace=pace)
        if beside.harm in {None, Harm.GONE}:
            return
        log.warning("%s is %s near; what the bucket holds counts.", kept.sha256, beside.harm)
        if kept.pack_id is None:
            self._singles(kept.organisation_id).forget(kept.sha256, beside)
        else:
            self._forget_near([kept])

    def _forget_near(self, damaged: Iterable[Kept]) -> None:
        """Remove packs that are damaged near; who has them open reads on."""
        for kept in damaged:
            if kept.pack_id is not None:
                self.near.path(kept).unlink(missing_ok=True)

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

    def singles(self, *, before: float) -> Iterator[tuple[int, str]]:
        for name, put_at in self.bucket.below(""):
            if put_at < before and (place := place_of(name)):
                yield place

    def sweep_temporary(self, *, before: float) -> int:
        self.bringing.make_room()
        near = self.near.sweep_temporary(before=before) + self.bringing.sweep(before=before)
        return near + self.bucket.drop_unfinished(before=before)

    # --- where things are ----------------------------------------------------------------
    def _compared(self, kept: Kept) -> bytes:
        content = b"".join(self.bucket.pieces(name_of(kept), kept.pack_offset, kept.size_bytes))
        if hashlib.sha256(content).hexdigest() != kept.sha256:
            raise base.damaged(kept)
        return content

    def _singles(self, organisation_id: int) -> Singles:
        return Singles(self.near.home / str(int(organisation_id)))
