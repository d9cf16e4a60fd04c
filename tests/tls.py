"""A host of an authority that nobody knows: it answers one and the same thing by https."""

import ssl
import threading
from contextlib import contextmanager
from datetime import UTC, datetime, timedelta
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from ipaddress import ip_address
from pathlib import Path

from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec

HERE = "127.0.0.1"


class Answers(BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"

    def do_GET(self):
        self.send_response(200)
        self.send_header("Content-Length", str(len(self.server.answer)))
        self.end_headers()
        self.wfile.write(self.server.answer)

    def log_message(self, *_words):
        """Tell nothing."""


@contextmanager
def serving(folder: Path, answer: bytes = b"{}", *, answers=Answers):
    """Give the address, and the file of the authority that signed for it."""
    ca, pair = _made(folder)
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(pair)
    with ThreadingHTTPServer((HERE, 0), answers) as server:
        server.answer = answer
        server.socket = context.wrap_socket(server.socket, server_side=True)
        server.handle_error = lambda *_words: None  # who does not trust us hangs up
        thread = threading.Thread(target=server.serve_forever)
        thread.start()
        try:
            yield f"https://{HERE}:{server.server_port}", ca
        finally:
            server.shutdown()
            thread.join()


def _made(folder):
    authority, own = (ec.generate_private_key(ec.SECP256R1()) for _ in range(2))
    issuer = x509.Name([x509.NameAttribute(x509.NameOID.COMMON_NAME, "Nobody knows it")])
    is_ca = x509.BasicConstraints(ca=True, path_length=None)
    signs = x509.KeyUsage(*[False] * 5, True, True, *[False] * 2)
    names = x509.SubjectAlternativeName([x509.IPAddress(ip_address(HERE))])
    ca = _certificate(issuer, authority).add_extension(is_ca, critical=True)
    ca = ca.add_extension(signs, critical=True).sign(authority, hashes.SHA256())
    leaf = _certificate(issuer, own, x509.Name([])).add_extension(names, critical=True)
    leaf = leaf.sign(authority, hashes.SHA256())
    pem = serialization.Encoding.PEM
    key = own.private_bytes(
        pem, serialization.PrivateFormat.PKCS8, serialization.NoEncryption()
    )
    (folder / "ca.pem").write_bytes(ca.public_bytes(pem))
    (folder / "pair.pem").write_bytes(key + leaf.public_bytes(pem))
    return folder / "ca.pem", folder / "pair.pem"


def _certificate(issuer, key, name=None):
    now = datetime.now(UTC)
    return (
        x509.CertificateBuilder(issuer, name if name is not None else issuer, key.public_key())
        .serial_number(x509.random_serial_number())
        .not_valid_before(now - timedelta(days=1))
        .not_valid_after(now + timedelta(days=2))
    )
