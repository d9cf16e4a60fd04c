"""A model's files signed by the factory, in the format of OpenSSF's model signing.

A Sigstore bundle (v0.3) around a DSSE envelope around an in-toto statement that names each
file with its SHA-256. The files are not read: the store knows their digests.
"""

import hashlib
import json
from base64 import b64encode
from collections.abc import Mapping, Sequence
from pathlib import PurePosixPath

from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec

STATEMENT = "https://in-toto.io/Statement/v1"
PREDICATE = "https://model_signing/signature/v1.0"
PAYLOAD = "application/vnd.in-toto+json"
BUNDLE = "application/vnd.dev.sigstore.bundle.v0.3+json"
# What clients put beside the files they fetch; nothing of it is part of the model.
BESIDE = ("model.sig", ".cache", ".git", ".gitattributes", ".gitignore")


def bundle(name: str, files: Mapping[str, str], key: ec.EllipticCurvePrivateKey) -> str:
    """Sign the `files` (path: SHA-256 in hexadecimals) of the model `name`."""
    payload = statement(name, files)
    signature = key.sign(_with_type(payload), ec.ECDSA(hashes.SHA256()))
    written = {
        "mediaType": BUNDLE,
        "verificationMaterial": {
            "publicKey": {"hint": fingerprint(pem(key))},
            "tlogEntries": [],
        },
        "dsseEnvelope": {
            "payload": b64encode(payload).decode(),
            "payloadType": PAYLOAD,
            "signatures": [{"sig": b64encode(signature).decode(), "keyid": ""}],
        },
    }
    return json.dumps(written)


def statement(name: str, files: Mapping[str, str]) -> bytes:
    """Write what is signed. The digest of the whole is over those of the files, in order."""
    paths = sorted(files, key=PurePosixPath)
    whole = hashlib.sha256(b"".join(bytes.fromhex(files[path]) for path in paths))
    resources = [{"name": path, "algorithm": "sha256", "digest": files[path]} for path in paths]
    told = {
        "_type": STATEMENT,
        "subject": [{"name": name, "digest": {"sha256": whole.hexdigest()}}],
        "predicateType": PREDICATE,
        "predicate": {
            "serialization": {
                "method": "files",
                "hash_type": "sha256",
                "allow_symlinks": False,
                "ignore_paths": _ignored(paths),
            },
            "resources": resources,
        },
    }
    return json.dumps(told, ensure_ascii=False).encode()


def pem(key: ec.EllipticCurvePrivateKey) -> str:
    """Write the public half of a key."""
    return (
        key.public_key()
        .public_bytes(
            serialization.Encoding.PEM, serialization.PublicFormat.SubjectPublicKeyInfo
        )
        .decode()
    )


def fingerprint(public_pem: str) -> str:
    return hashlib.sha256(public_pem.encode()).hexdigest()


def _ignored(paths: Sequence[str]) -> list[str]:
    """Name what a reader may find beside the files; never what is signed itself."""
    first = {path.partition("/")[0] for path in paths}
    return [name for name in BESIDE if name not in first]


def _with_type(payload: bytes) -> bytes:
    """Encode as DSSE v1 does, so that the bytes mean nothing else anywhere."""
    head = f"DSSEv1 {len(PAYLOAD)} {PAYLOAD} {len(payload)} "
    return head.encode() + payload
