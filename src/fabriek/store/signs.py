"""Paths in the order of their signs, on any database: what lies in a folder stands together."""

from typing import Any

from django.db import connection
from django.db.models import F, Q, QuerySet, Value
from django.db.models.functions import Collate, StrIndex, Substr

from fabriek.store.models import File


def key(name: F) -> Any:  # noqa: ANN401  F or Collate
    """Order by the signs themselves; PostgreSQL would order as the language of its house."""
    return Collate(name, "C") if connection.vendor == "postgresql" else name


def by_key(rows: "QuerySet[File]") -> "QuerySet[File]":
    return rows.alias(key=key(F("path")))


def within(folder: str) -> Q:
    """All that begins with the folder and a `/`: the sign after that one is `0`."""
    return Q(key__gt=f"{folder}/", key__lt=f"{folder}0")


def parted(rows: Any, folder: str) -> Any:  # noqa: ANN401  of an alias
    """Part each path behind the folder (`""`: the whole path), the `rest`, at its first `/`."""
    rest = Substr("path", len(folder) + 2 if folder else 1)
    return rows.alias(rest=rest, slash=StrIndex(rest, Value("/")))
