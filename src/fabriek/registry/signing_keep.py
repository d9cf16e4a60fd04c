"""Sign the models that are not signed yet, and keep the signatures: a part of the loop.

A signature is no file of the revision, which never changes; it has an address of its own.
"""

import logging
import time
from dataclasses import dataclass
from datetime import timedelta

from cryptography.hazmat.primitives.asymmetric import ec
from django.db import transaction
from django.db.models import Exists, OuterRef, QuerySet
from django.utils import timezone

from fabriek.kernel.errors import Refused
from fabriek.registry import signing, signing_key
from fabriek.registry.models import Model, Signature, SigningKey
from fabriek.store.models import Revision

log = logging.getLogger(__name__)

AT_ONCE = 20  # a pass stays short; the rest follows in the next one
REST_S = 300
# Of all models each minute only: of twenty thousand that takes a tenth of a second. In between
# of those that are new.
ALL_EVERY_S = 60
NEW_FOR = timedelta(minutes=10)


@dataclass(kw_only=True, slots=True)
class Rhythm:
    """When (by time.monotonic) the loop looks again, after trouble and at all models.

    A loop that is started again looks at all of them at once.
    """

    rest_until: float = 0.0
    all_from: float = 0.0


rhythm = Rhythm()


def tick() -> None:
    """Sign what waits: what a run made, what was pushed, and what was brought in."""
    now = time.monotonic()
    if now < rhythm.rest_until:
        return
    waiting = list((awaiting() if now >= rhythm.all_from else awaiting_of_new())[:AT_ONCE])
    if now >= rhythm.all_from and len(waiting) < AT_ONCE:
        rhythm.all_from = now + ALL_EVERY_S
    if not waiting:
        return
    try:
        key = signing_key.private()
    except Refused as refusal:
        log.error("%s", refusal)  # noqa: TRY400  a sentence that says all
        rhythm.rest_until, rhythm.all_from = now + REST_S, 0.0
        return
    for model in waiting:
        try:
            sign(model, key)
        except Exception:
            log.exception("%s could not be signed; the pass goes on.", model.code)


def awaiting() -> QuerySet[Model]:
    """Find models of which nobody vouches for the newest revision, oldest first."""
    signed = Signature.objects.filter(revision=OuterRef("revision"))
    rows = Model.objects.filter(~Exists(signed), revision__dropped_at=None)
    rows = rows.select_related("revision").only("code", "revision__dropped_at")
    return rows.order_by("pk")


def awaiting_of_new() -> QuerySet[Model]:
    return awaiting().filter(registered_at__gte=timezone.now() - NEW_FOR)


def sign(model: Model, key: ec.EllipticCurvePrivateKey) -> Signature:
    """Vouch for the files of the model's newest revision. Safe to repeat."""
    revision = model.revision
    bundle = signing.bundle(model.code, _digests(revision), key)
    public = signing.pem(key)
    with transaction.atomic():
        known, _is_new = SigningKey.objects.get_or_create(
            fingerprint=signing.fingerprint(public), defaults={"pem": public}
        )
        signature, _is_new = Signature.objects.get_or_create(
            revision=revision, defaults={"key": known, "bundle": bundle}
        )
    return signature


def _digests(revision: Revision) -> dict[str, str]:
    return dict(revision.files.order_by().values_list("path", "blob__sha256"))
