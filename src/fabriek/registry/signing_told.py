"""What the page of a model tells of its signature: who signed, and how anybody verifies it."""

from dataclasses import dataclass
from datetime import datetime

from django.conf import settings
from django.urls import reverse

from fabriek.registry.models import Model, Signature


@dataclass(frozen=True, kw_only=True, slots=True)
class Signed:
    """`command` fetches the key and verifies a folder that `fabriek models pull` made."""

    by: str
    at: datetime
    fingerprint: str
    key_url: str
    command: str


def of(model: Model) -> Signed | None:
    rows = Signature.objects.filter(revision=model.revision_id).select_related("key")
    found = rows.defer("bundle").first()
    if found is None:
        return None
    key = reverse("signing:key_of", args=[found.key.fingerprint])
    url, name = f"{settings.FACTORY_URL}{key}", f"{settings.FACTORY_CODE.lower()}-key.pem"
    return Signed(
        by=settings.FACTORY_NAME,
        at=found.signed_at,
        fingerprint=found.key.fingerprint,
        key_url=url,
        command=f"curl -fsS {url} -o {name} && model_signing verify key {model.code} "
        f"--signature {model.code}/model.sig --public_key {name}",
    )
