"""From the page of a model to two answers beside each other, in a real browser."""

import json
import re
import subprocess
import sys
from pathlib import Path

import pytest
from playwright.sync_api import expect, sync_playwright

from tests.recipes.conftest import base, corpus  # noqa: F401  fixtures
from tests.recipes.tuned import taught
from tests.server import Running
from tests.test_browser import CHROMIUM, FLAGS
from tests.trying.furnish import PASSWORD

pytestmark = [
    pytest.mark.browser,
    pytest.mark.slow,
    pytest.mark.skipif(
        CHROMIUM is None, reason="There is no Chromium here: apt install chromium."
    ),
]
ROOT = Path(__file__).resolve().parents[2]
READY_WITHIN_MS = 180_000
PROMPT = "Er brandt iets bij de sluis, huis 2."


@pytest.fixture(scope="module")
def factory(tmp_path_factory):
    with Running(tmp_path_factory.mktemp("factory")) as factory:
        yield factory


@pytest.fixture(scope="module")
def told(factory, tmp_path_factory, base):  # noqa: F811
    tuned = taught(tmp_path_factory.mktemp("tuned"), base)
    environment = factory.environment | {"PYTHONPATH": str(ROOT)}
    command = [sys.executable, "-m", "tests.trying.furnish", str(base), str(tuned)]
    done = subprocess.run(command, env=environment, cwd=ROOT, capture_output=True, text=True)
    assert done.returncode == 0, done.stderr
    return json.loads(done.stdout)


@pytest.fixture
def page(factory, told):
    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=CHROMIUM, args=FLAGS)
        context = browser.new_context(base_url=factory.url, locale="nl-NL")
        context.set_default_timeout(60_000)
        page = context.new_page()
        page.goto("/accounts/login/")
        page.get_by_label("E-mailadres").fill(told["email"])
        page.get_by_label("Wachtwoord").fill(PASSWORD)
        page.locator("main").get_by_role("button", name="Inloggen", exact=True).click()
        expect(page).to_have_url(re.compile(r"/$"))
        yield page
        browser.close()


def places(page):
    return [
        page.locator(".turn").first.locator(".side-by").nth(n).bounding_box() for n in (0, 1)
    ]


def test_a_question_is_answered_twice(page, told):
    page.set_viewport_size({"width": 1280, "height": 900})
    page.goto(f"/models/{told['model']}/")
    page.get_by_role("link", name="Proberen", exact=True).click()
    expect(page.locator("main")).to_contain_text("Apart gezet: 0,25")
    page.get_by_role("button", name="Beginnen", exact=True).click()

    box = page.get_by_label("Uw vraag")
    expect(box).to_be_visible(timeout=READY_WITHIN_MS)
    box.fill(PROMPT)
    page.get_by_role("button", name="Vragen", exact=True).click()
    first = page.locator(".turn").first
    expect(first).to_contain_text(PROMPT)
    expect(page.locator("[aria-busy]")).to_have_count(0)
    expect(first.locator(".side-by")).to_have_count(2)
    expect(box).to_have_value(PROMPT)  # to change a word and ask again
    left, right = places(page)
    page.set_viewport_size({"width": 390, "height": 844})
    above, below = places(page)
    width = page.evaluate("document.documentElement.scrollWidth")
    page.on("dialog", lambda dialog: dialog.accept())
    page.get_by_role("button", name="Sessie beëindigen", exact=True).click()

    assert left["y"] == right["y"]
    assert left["x"] + left["width"] <= right["x"]
    assert above["x"] == below["x"]
    assert above["y"] + above["height"] <= below["y"]
    assert width <= 390
    expect(page.get_by_role("link", name="Opnieuw proberen", exact=True)).to_be_visible(
        timeout=60_000
    )
    expect(page.locator("main")).not_to_contain_text(PROMPT)
