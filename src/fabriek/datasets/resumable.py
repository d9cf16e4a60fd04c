"""Uploads in parts: begin, go on, join, stop. A whole file lies in the store for a commit."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta

from django.conf import settings
from django.db import transaction
from django.utils import timezone

from fabriek.datasets import actions, receiving, refusals, rules
from fabriek.datasets.models import Dataset, Upload
from fabriek.datasets.receiving import Checksum
from fabriek.kernel import text
from fabriek.kernel.body import Body
from fabriek.people.models import Person
from fabriek.store import held, paths
from fabriek.store.incoming import too_large
from fabriek.store.singles import checked

# Since its last byte: a weekend and a day of illness, for whoever closed the laptop on Friday.
KEPT = timedelta(days=4)
# A whole file waits this long for the revision that names it, as all bytes in the store do.
KEPT_WHOLE = timedelta(days=1)
OPEN_AT_MOST = 500
STALE_FILE_S = 3600


@dataclass(frozen=True, kw_only=True, slots=True)
class Announced:
    """What a client tells of a file before its bytes; `path` may be left open."""

    length_bytes: int
    path: str = ""
    sha256: str = ""
    told: str = ""
    is_part: bool = False


@dataclass(frozen=True, kw_only=True, slots=True)
class Part:
    at: int
    body: Body
    checksum: Checksum | None = None


def begin(dataset: Dataset, announced: Announced, *, by: Person) -> Upload:
    """Make room for a file that will come in parts.

    Raises:
        NotAllowed, WrongState: as for `actions.add_file`.
        Invalid: an empty file, a name that breaks a rule, or no SHA-256.
        TooLarge, StorageFull: it would not fit.
        Refused: too many others were begun and not finished.
    """
    _require_push(dataset, by)
    path = paths.clean(announced.path) if announced.path else ""
    if announced.sha256:
        checked(announced.sha256)
    if announced.length_bytes > settings.UPLOAD_LIMIT_BYTES:
        raise too_large(settings.UPLOAD_LIMIT_BYTES)
    if not announced.length_bytes:
        raise refusals.empty(path)
    if _open(dataset, by) >= OPEN_AT_MOST:
        raise refusals.too_many(OPEN_AT_MOST)
    upload = Upload(
        dataset=dataset,
        by=by,
        path=path,
        length_bytes=announced.length_bytes,
        announced_sha256=announced.sha256,
        told=announced.told,
        concat="partial" if announced.is_part else "",
        expires_at=timezone.now() + KEPT,
    )
    receiving.make(upload.key, length_bytes=announced.length_bytes)
    with transaction.atomic():
        held.hold(dataset.repository)
        rules.require_there(dataset)
        upload.save()
    return upload


def found(dataset: Dataset, key: str, *, by: Person) -> Upload:
    """Find an upload of this person; somebody else's answers like one that never was."""
    uploads = Upload.objects.filter(dataset=dataset, by=by, expires_at__gt=timezone.now())
    upload = uploads.filter(key=text.storable(key)).first()
    if upload is None:
        raise refusals.upload_gone()
    upload.dataset = dataset
    return upload


def append(upload: Upload, part: Part, *, by: Person) -> Upload:
    """Add a part behind what has arrived; the last one puts the file in the store.

    Raises:
        NotAllowed, WrongState: as for `actions.add_file`; also halfway.
        OtherOffset, TooLarge: the part does not fit behind what is there.
        Busy: another part is on its way.
        OtherChecksum, StorageFull: nothing of this part is kept; the rest is.
    """
    _require_push(upload.dataset, by)
    if upload.concat.startswith("final"):
        raise refusals.only_joined()
    _require_fits(upload, part)
    if part.body.size_bytes:
        with receiving.alone(upload.key) as file:
            _look_again(upload, "offset_bytes", "sha256")
            _require_fits(upload, part)
            got = receiving.receive(
                file, upload.key, part.body, at=part.at, checksum=part.checksum
            )
            _note(upload, part.at + got)
    return settle(upload, by=by)


def settle(upload: Upload, *, by: Person) -> Upload:
    """Put a file that is whole in the store, once; also when we died just before that.

    Raises: Invalid, when the bytes are not those that were announced. They are gone then.
    """
    if upload.left_bytes or upload.sha256 or upload.is_part:
        return upload
    try:
        with receiving.alone(upload.key):
            if not _is_settled_by_now(upload):
                _take_in(upload, by=by)
    except refusals.Gone:
        # Of two at once the other took it in, and the file with it.
        if not _is_settled_by_now(upload):
            raise
    return upload


def join(
    dataset: Dataset, keys: Sequence[str], *, by: Person, path: str, told: str, concat: str
) -> Upload:
    """Make one file of parts that were sent side by side; they are gone after.

    Raises: Invalid, when one is not whole or named twice: a small part would become a file of
    any size. For the rest as `begin` and `settle`.
    """
    if len(set(keys)) < len(keys):
        raise refusals.part_named_twice()
    parts = [found(dataset, key, by=by) for key in keys]
    if not parts or not all(part.is_part and not part.left_bytes for part in parts):
        raise refusals.unfinished_part()
    length_bytes = sum(part.length_bytes for part in parts)
    announced = Announced(length_bytes=length_bytes, path=path, told=told)
    whole = begin(dataset, announced, by=by)
    receiving.join(whole.key, [part.key for part in parts])
    whole.offset_bytes, whole.concat = length_bytes, concat
    _write_down(whole, "offset_bytes", "concat")
    settled = settle(whole, by=by)
    for part in parts:
        _forget(part)
    return settled


def stop(upload: Upload, *, by: Person) -> None:
    """Forget an upload and what arrived of it. What is in the store already goes by itself."""
    _require_push(upload.dataset, by)
    if upload.sha256:
        upload.delete()
        return
    with receiving.alone(upload.key):
        _forget(upload)


def sweep(now: datetime) -> int:
    """Forget uploads that were left alone, and files that no upload names."""
    over = Upload.objects.filter(expires_at__lte=now)
    for upload in over:
        with receiving.left_alone(upload.key) as is_left:
            # A part may come in for days, and its end moves when all of it is there.
            if is_left and over.filter(pk=upload.pk).exists():
                _forget(upload)
    kept = set(Upload.objects.values_list("key", flat=True))
    return receiving.sweep(kept=kept, before=now.timestamp() - STALE_FILE_S)


def _require_push(dataset: Dataset, by: Person) -> None:
    rules.require_part(by, dataset.case)
    rules.require_open(dataset.case)


def _is_settled_by_now(upload: Upload) -> bool:
    """Look again, as another may have put it in the store since. Raises: Gone."""
    _look_again(upload, "sha256", "expires_at")
    return bool(upload.sha256)


def _look_again(upload: Upload, *names: str) -> None:
    """Read some of it as it is now. Raises: Gone, where it, or its dataset, was removed."""
    if (now := Upload.objects.filter(pk=upload.pk).values(*names).first()) is None:
        raise refusals.upload_gone()
    for name in names:
        setattr(upload, name, now[name])


def _write_down(upload: Upload, *names: str) -> None:
    """Keep some of it. Raises: Gone, where it, or its dataset, was removed meanwhile."""
    facts = {name: getattr(upload, name) for name in names}
    if not Upload.objects.filter(pk=upload.pk).update(**facts):
        raise refusals.upload_gone()


def _take_in(upload: Upload, *, by: Person) -> None:
    blob = actions.take_in(
        upload.dataset,
        receiving.path_of(upload.key),
        by=by,
        known=receiving.known(upload.key, upload.length_bytes),
    )
    if upload.announced_sha256 not in {"", blob.sha256}:
        _forget(upload)
        raise refusals.other_bytes(upload.path)
    upload.sha256 = blob.sha256
    upload.expires_at = timezone.now() + KEPT_WHOLE
    _write_down(upload, "sha256", "expires_at")
    receiving.remove(upload.key)


def _require_fits(upload: Upload, part: Part) -> None:
    if part.at != upload.offset_bytes:
        raise refusals.other_offset(upload.offset_bytes, part.at)
    if part.body.size_bytes > upload.left_bytes:
        raise refusals.longer_than_told(upload.left_bytes)


def _note(upload: Upload, offset_bytes: int) -> None:
    upload.offset_bytes = offset_bytes
    upload.expires_at = timezone.now() + KEPT
    _write_down(upload, "offset_bytes", "expires_at")


def _forget(upload: Upload) -> None:
    upload.delete()
    receiving.remove(upload.key)


def _open(dataset: Dataset, by: Person) -> int:
    return Upload.objects.filter(dataset=dataset, by=by, sha256="").count()
