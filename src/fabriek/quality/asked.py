"""What is asked of a worker, with its limits; and the key that pseudonyms are made with."""

import hashlib
import hmac
import json
from pathlib import Path
from typing import Any

from django.conf import settings

from fabriek.quality.models import Errand, Look, PseudonymKey, Treatment
from fabriek.store.models import MAIN, Blob, File, Repository
from fabriek.store.queries import the_store

CONTEXT_TOKENS = 2048  # where no open model says how much it reads at once
MOST_CONFIG_BYTES = 2**20
CONFIG = "config.json"
PURPOSE = b"fabriek.quality.pseudonym"

Json = dict[str, Any]


def asked_of(errand: Errand) -> Json:
    limits: Json = {
        "memory_bytes": settings.LOOK_MEMORY_BYTES,
        "disk_bytes": settings.LOOK_DISK_BYTES,
        "cpu_s": 2 * settings.LOOK_S,  # two threads
        "names": names_program(),
    }
    if isinstance(errand, Treatment):
        return limits | {"kind": "treat", "decisions": errand.decisions}
    context = _context_tokens()
    all_names = isinstance(errand, Look) and errand.all_names
    return limits | {"kind": "look", "context_tokens": context, "all_names": all_names}


def names_program() -> list[str] | None:
    """Give the Python that reads names and its tables; nothing where it is not installed."""
    tables = Path(settings.NAMES_CACHE)
    # Without its tables it would build them now, for a minute, and again at each look.
    if not settings.NAMES_PYTHON or not (tables / "ready").exists():
        return None
    return [settings.NAMES_PYTHON, str(tables)]


def secret_of(errand: Errand) -> str:
    """Make the key of pseudonyms out of the factory's secret and the dataset's own salt.

    Who has only the database, or only the factory's secret, can make no pseudonym.
    """
    key = PseudonymKey.objects.filter(dataset=errand.dataset_id).first()
    if key is None or not isinstance(errand, Treatment):
        return ""
    factory = settings.SECRET_KEY.encode()
    return hmac.new(factory, PURPOSE + bytes.fromhex(key.salt), hashlib.sha256).hexdigest()


def open_model_file(name: str) -> Blob | None:
    """Find a file of the open base model that was registered last."""
    found = (
        File.objects.filter(
            path=name,
            revision__branch=MAIN,
            revision__repository__kind=Repository.Kind.MODEL,
            revision__repository__is_open=True,
        )
        .select_related("blob")
        .order_by("-revision__pk")
        .first()
    )
    return found.blob if found else None


def near(errand: Errand) -> list[Blob]:
    """Name what `asked_of` reads itself, so that it is near by then."""
    blob = open_model_file(CONFIG) if isinstance(errand, Look) else None
    return [blob] if blob else []


def _context_tokens() -> int:
    blob = open_model_file(CONFIG)
    if blob is None or blob.size_bytes > MOST_CONFIG_BYTES:
        return CONTEXT_TOKENS
    try:
        with the_store().open(blob) as file:
            told = json.load(file)
        return max(16, int(told["max_position_embeddings"]))
    except (OSError, ValueError, KeyError, TypeError):
        return CONTEXT_TOKENS
