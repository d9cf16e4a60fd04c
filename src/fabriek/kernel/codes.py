"""Short codes that people can read out over the telephone: C26-0017."""

import uuid

from django.db import models
from django.utils import timezone


def provisional() -> str:
    """Fill the unique `code` column until the row has its number."""
    return f"new-{uuid.uuid4().hex[:24]}"


def give_code(thing: models.Model, prefix: str) -> str:
    """Name `thing` after its own number, so that two made at once never collide."""
    code = f"{prefix}{timezone.localdate():%y}-{thing.pk:04d}"
    type(thing)._default_manager.filter(pk=thing.pk).update(code=code)
    thing.code = code  # type: ignore[attr-defined]
    return code
