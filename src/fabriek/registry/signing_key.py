"""The factory's own key, with which it signs models: made at its first use."""

import os
import secrets
from pathlib import Path

from cryptography.exceptions import UnsupportedAlgorithm
from cryptography.hazmat.primitives import serialization
from cryptography.hazmat.primitives.asymmetric import ec
from django.conf import settings
from django.utils.translation import gettext as _

from fabriek.kernel.errors import Refused


def private() -> ec.EllipticCurvePrivateKey:
    """Read the key, or make it when there is none.

    Raises:
        Refused: the file cannot be read, or holds no key of this kind.
    """
    path = Path(settings.SIGNING_KEY)
    try:
        if not path.exists():
            _make(path)
        found = serialization.load_pem_private_key(path.read_bytes(), password=None)
    except (OSError, ValueError, TypeError, UnsupportedAlgorithm) as error:
        raise _no_key(path) from error
    if not isinstance(found, ec.EllipticCurvePrivateKey) or not _is_p256(found):
        raise _no_key(path)
    return found


def _make(path: Path) -> None:
    """Put a new key in its place whole, so that of two who make one the first one counts."""
    key = ec.generate_private_key(ec.SECP256R1())
    text = key.private_bytes(
        serialization.Encoding.PEM,
        serialization.PrivateFormat.PKCS8,
        serialization.NoEncryption(),
    )
    half = path.with_name(f"{path.name}.{secrets.token_hex(8)}")
    opened = os.open(half, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600)
    try:
        with os.fdopen(opened, "wb") as file:
            file.write(text)
            file.flush()
            os.fsync(file.fileno())
        os.link(half, path)
    except FileExistsError:
        pass  # another one was first
    finally:
        half.unlink()


def _is_p256(key: ec.EllipticCurvePrivateKey) -> bool:
    return isinstance(key.curve, ec.SECP256R1)


def _no_key(path: Path) -> Refused:
    sentence = _(
        "No model can be signed: %(path)s is no readable private key (PEM, without a password) "
        "on the curve P-256. Put the right file there, or move it away to get a new key."
    )
    return Refused(sentence % {"path": path}, code="no_signing_key")
