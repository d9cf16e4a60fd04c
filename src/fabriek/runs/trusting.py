"""Whom the job of a run trusts, where the factory's certificate is of its own authority.

A file in the folder of the run, as nodes need not have what the portal's machine has.
"""

from pathlib import Path

from django.conf import settings

from fabriek.kernel import authorities
from fabriek.runs.models import Run
from fabriek_recipes import run_folder

# What OpenSSL, httpx and Xet read, and what requests does.
NAMES = ("SSL_CERT_FILE", "REQUESTS_CA_BUNDLE")


def write(folder: Path) -> None:
    if settings.CA_FILE:
        (folder / run_folder.AUTHORITIES).write_text(authorities.bundle())


def environment(run: Run) -> dict[str, str]:
    """Name the file where there is one: that of a run of before would not be found."""
    path = run.folder / run_folder.AUTHORITIES
    return dict.fromkeys(NAMES, str(path)) if path.exists() else {}
