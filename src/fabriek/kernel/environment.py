"""Reads what operators set; what is wrong is refused with a sentence that names it."""

import ssl
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

from django.core.exceptions import ImproperlyConfigured

from fabriek.kernel.origins import origin_of

YES, NO = {"1", "true", "yes", "on"}, {"0", "false", "no", "off"}
LARGEST = 2**62


@dataclass(frozen=True, slots=True)
class Environment:
    """Each of these raises ImproperlyConfigured; what is empty is as if nobody said it."""

    told: Mapping[str, str]

    def path(self, name: str, default: Path) -> Path:
        return Path(self.told.get(name, "").strip() or default).resolve()

    def certificates(self, name: str) -> Path | None:
        """Give the path of a PEM file that holds certificates, and no key: jobs get a copy."""
        told = self.told.get(name, "").strip()
        if not told:
            return None
        path = Path(told).resolve()
        try:
            ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT).load_verify_locations(path)
            holds_key = "PRIVATE KEY" in path.read_text()
        except (OSError, ValueError) as wrong:
            raise ImproperlyConfigured(
                f"{name}={told}: name a PEM file with the certificate of your authority."
            ) from wrong
        if holds_key:
            raise ImproperlyConfigured(
                f"{name}={told}: it holds a private key. Name a file with certificates only."
            )
        return path

    def flag(self, name: str, default: bool = False) -> bool:
        told = self.told.get(name, "").strip().lower()
        if not told:
            return default
        if told not in YES | NO:
            raise ImproperlyConfigured(f"{name}={told}: say 1 for yes, or 0 for no.")
        return told in YES

    def words(self, name: str, default: str) -> list[str]:
        told = self.told.get(name, "").strip() or default
        words = (word.strip() for word in told.split(","))
        return [word for word in words if word]

    def address(self, name: str, default: str) -> str:
        """Give an http or https address without a slash at its end."""
        told = (self.told.get(name, "").strip() or default).rstrip("/")
        try:
            origin_of(told)
        except ImproperlyConfigured as wrong:
            raise ImproperlyConfigured(f"{name}: {wrong}") from wrong
        return told

    def whole(self, name: str, default: int, *, least: int = 0, most: int = LARGEST) -> int:
        told = self.told.get(name, "").strip()
        if not told:
            return default
        # A sign, or figures of another script, could be read too: nobody means them.
        is_plain = told.isascii() and told.isdecimal() and len(told) < len(str(LARGEST))
        if not is_plain or not least <= int(told) <= most:
            bounds = f"{least} or more" if most == LARGEST else f"{least} to {most}"
            raise ImproperlyConfigured(f"{name}={told}: write a whole number, {bounds}.")
        return int(told)

    def number(self, name: str, default: float) -> float:
        told = self.told.get(name, "").strip()
        if not told:
            return default
        try:
            found = float(told)
        except ValueError:
            found = -1.0
        if not 0 <= found < LARGEST:
            raise ImproperlyConfigured(f"{name}={told}: write a number, such as 0.5.")
        return found

    def one_of(self, name: str, default: str, *others: str) -> str:
        told = self.told.get(name, "").strip() or default
        if told not in (default, *others):
            choices = ", ".join((default, *others))
            raise ImproperlyConfigured(f"{name}={told}: choose one of: {choices}.")
        return told
