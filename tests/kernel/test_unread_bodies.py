"""Who has no account and sends slowly where a proxy takes nothing in holds no thread.

The addresses of files are those: see docs/operate/proxy.md.
"""

import re
from pathlib import Path

import pytest
from django.test import Client

pytestmark = pytest.mark.django_db
PROXY = Path(__file__).parents[2] / "docs" / "operate" / "proxy.md"
AS_IT_COMES = re.compile(
    re.search(r"location ~ (\S+) +\{ +# files: as they come", PROXY.read_text())[1]
)
FILES = [
    "/api/",
    "/api/docs",
    "/api/openapi.json",
    "/api/nothing/here",
    "/api/cases/",
    "/api/validate-yaml",
    "/hub/nothing",
    "/data/D26-0001/push/",
    "/data/D26-0001/push/x",
    "/code/new",
    "/code/newer",
    "/datasets/C26-0001/name/resolve/main/a.csv",
    "/C26-0001/name/resolve/main/a.csv",
    "/accounts/login/resolve/x",
]


class Unread:
    def read(self, *_size):
        raise AssertionError("its body was waited for")

    readline = __iter__ = read


@pytest.mark.parametrize("path", FILES)
def test_a_stranger_is_answered_before_the_body_is_there(path):
    client = Client(enforce_csrf_checks=True)
    client.cookies["csrftoken"] = "a" * 32
    form = "application/x-www-form-urlencoded"

    answer = client.post(path, "a=b", content_type=form, **{"wsgi.input": Unread()})

    assert AS_IT_COMES.search(path), "nginx takes it in whole"
    assert answer.status_code in {200, 302, 401, 404, 405}


@pytest.mark.parametrize(
    "path", ["/data/D26-0001/revisions/1/resolve/x", "/accounts/login/", "/cases/new"]
)
def test_a_page_with_a_form_is_taken_in_by_the_proxy_first(path):
    assert not AS_IT_COMES.search(path)


def test_a_page_that_is_not_there_still_has_its_forms(client):
    page = client.get("/nowhere")

    assert page.status_code == 404
    assert "csrfmiddlewaretoken" in page.content.decode()
    assert "csrftoken" in page.cookies
