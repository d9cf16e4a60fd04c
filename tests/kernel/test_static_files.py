"""Files that browsers keep for years, under names that change with what is in them."""

import re
from pathlib import Path
from urllib.parse import urljoin

import pytest
from django.conf import settings as django_settings
from django.contrib.staticfiles.storage import staticfiles_storage

from fabriek.kernel import static_files

OURS = Path(static_files.__file__).parents[1]
NAMED = re.compile(r"""{% static ["']([^"']+)["'] %}""")
POINTS = re.compile(r"""url\(["']?([^"')]+)["']?\)|(?:from|import) "(\.[^"]+)\"""")


@pytest.fixture
def laid_out(settings, tmp_path):
    settings.STATIC_ROOT = tmp_path / "static"
    settings.WHITENOISE_AUTOREFRESH = False  # as a portal serves them
    static_files.lay_out()


@pytest.mark.usefixtures("laid_out")
def test_what_templates_name_and_all_that_it_leads_to_may_be_kept(client):
    templates = OURS.rglob("templates/**/*.html")
    names = {name for path in templates for name in NAMED.findall(path.read_text())}
    waiting = [staticfiles_storage.url(name) for name in sorted(names)]
    seen = {}

    while waiting:
        address = waiting.pop()
        answer = client.get(address)
        text = b"".join(answer.streaming_content).decode()
        seen[address] = answer.headers["Cache-Control"]
        found = (a or b for a, b in POINTS.findall(text) if address.endswith((".css", ".js")))
        led = {urljoin(address, one) for one in found if not one.startswith("data:")}
        waiting += sorted(led - set(seen))

    plain = {re.sub(r"\.[0-9a-f]{12}\.", ".", address) for address in seen}
    assert {"/static/fabriek/roof.svg", "/static/fabriek/uploads/sending.js"} < plain
    assert [one for one, kept in seen.items() if "immutable" not in kept] == []


@pytest.mark.django_db
def test_a_page_names_what_was_laid_out_and_else_the_plain_names(client, settings, tmp_path):
    plain = client.get("/accounts/login/").content.decode()
    settings.STATIC_ROOT = tmp_path / "static"
    static_files.lay_out()
    summed = client.get("/accounts/login/").content.decode()

    assert '"/static/fabriek/fabriek.css"' in plain
    assert re.search(r'"/static/fabriek/fabriek\.[0-9a-f]{12}\.css"', summed)
    assert staticfiles_storage.url("of-others.css") == "/static/of-others.css"


@pytest.mark.usefixtures("laid_out")
def test_a_file_that_an_older_version_left_is_not_taken_for_the_new_one():
    stale = django_settings.STATIC_ROOT / "fabriek" / "fabriek.css"
    stale.write_text("half of it")  # and newer than the file it is of

    static_files.lay_out()

    summed = django_settings.STATIC_ROOT / staticfiles_storage.url("fabriek/fabriek.css")[8:]
    assert stale.read_text() != "half of it"
    assert b"roof." in summed.read_bytes()
