"""The gallery shows every part, so a part that breaks breaks here first."""

import re
from collections import Counter

import pytest

pytestmark = [pytest.mark.django_db, pytest.mark.urls("tests.kernel.look_urls")]

SIGNS_OF_PARTS = [
    *("bar", "brand", "stations", "next", "facts", "timeline", "state", "empty", "field"),
    *("mistakes", "table", "pages", "filters", "progress", "meter", "tile", "chart"),
    *("origin", "copy", "autosave", "refusal", "message", "trail", "foot"),
]


@pytest.mark.parametrize("language", ["nl", "en"])
def test_every_part_is_shown_in_both_languages(client, language):
    page = client.get("/dev/look", headers={"Accept-Language": language}).content.decode()

    classes = set(re.findall(r"[\w-]+", " ".join(re.findall(r'class="([^"]*)"', page))))
    assert set(SIGNS_OF_PARTS) <= classes
    assert f'<html lang="{language}">' in page


def test_no_two_parts_share_an_id(client):
    page = client.get("/dev/look").content.decode()

    ids = Counter(re.findall(r'\sid="([^"]+)"', page))
    assert [name for name, times in ids.items() if times > 1] == []


def test_nothing_on_the_page_needs_a_weaker_security_policy(client):
    answer = client.get("/dev/look")
    page = answer.content.decode()

    assert "'unsafe" not in answer["Content-Security-Policy"]
    assert not re.search(r"<style|\sstyle=|\son\w+=\"|<script(?![^>]*\ssrc=)", page)
