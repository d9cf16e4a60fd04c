"""A portal that is started again while somebody sends: the command goes on by itself."""

import httpx
import pytest

from fabriek.cli import data_bundle, http
from tests.cli.conftest import URL, server
from tests.datasets.conftest import contents, made
from tests.factories import a_person

pytestmark = pytest.mark.django_db
BIG = b"r" * data_bundle.BELOW_BYTES


class Away(httpx.WSGITransport):
    """A proxy before a portal that is away at the first call of each kind."""

    def __init__(self):
        super().__init__(app=server())
        self.missed = []

    def handle_request(self, request):
        kind = request.url.path.strip("/").rpartition("/")[2]
        if kind in {"missing", "bundle", "uploads"} and kind not in self.missed:
            self.missed.append(kind)
            return httpx.Response(502, text="<html>502 Bad Gateway</html>")
        return super().handle_request(request)


def test_small_files_and_large_ones_arrive_all_the_same(fabriek, monkeypatch, tmp_path):
    lead, proxy = a_person(), Away()
    dataset = made(by=lead)
    (tmp_path / "small.txt").write_text("one row\n")
    (tmp_path / "big.txt").write_bytes(BIG)

    def client_for(account):
        headers = {"Authorization": f"Bearer {account.token}"}
        return httpx.Client(transport=proxy, base_url=f"{URL}/api/", headers=headers)

    monkeypatch.setattr(http, "client_for", client_for)
    named = tmp_path / "small.txt", tmp_path / "big.txt"
    result = fabriek(lead, "data", "push", dataset.code, *named)

    assert result.exit_code == 0, result.stderr
    assert sorted(proxy.missed) == ["bundle", "missing", "uploads"]
    assert contents(dataset) == {"small.txt": 8, "big.txt": len(BIG)}
