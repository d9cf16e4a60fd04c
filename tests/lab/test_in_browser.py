"""From the page of a run into JupyterLab and out of it, in a real browser."""

import re
from contextlib import suppress

import pytest
from playwright.sync_api import TimeoutError as PlaywrightTimeout
from playwright.sync_api import expect, sync_playwright

from tests.engines.waiting import eventually
from tests.lab.furnish import PASSWORD
from tests.lab.people import Somebody, furnished
from tests.server import Running
from tests.test_browser import CHROMIUM, FLAGS

pytestmark = [
    pytest.mark.browser,
    pytest.mark.slow,
    pytest.mark.skipif(
        CHROMIUM is None, reason="There is no Chromium here: apt install chromium."
    ),
]
READY_WITHIN_MS = 40_000
STATUS = "fetch('/api/status').then(answer => answer.status)"


@pytest.fixture(scope="module")
def factory(tmp_path_factory):
    with Running(tmp_path_factory.mktemp("factory"), FABRIEK_LAB="1") as factory:
        yield factory


@pytest.fixture
def context(factory):
    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=CHROMIUM, args=FLAGS)
        context = browser.new_context(base_url=factory.url, locale="nl-NL")
        context.set_default_timeout(READY_WITHIN_MS)
        yield context
        browser.close()


def signed_in(context, email):
    page = context.new_page()
    page.goto("/accounts/login/")
    page.get_by_label("E-mailadres").fill(email)
    page.get_by_label("Wachtwoord").fill(PASSWORD)
    page.locator("main").get_by_role("button", name="Inloggen", exact=True).click()
    expect(page).to_have_url(re.compile(r"/$"))
    return page


def computed(lab, code):
    """Let a notebook compute; a new one draws its cell again and may lose what was typed."""
    lab.locator(".jp-LauncherCard[title*='Python 3']").first.click()
    idle = lab.get_by_text("Python 3 (ipykernel) | Idle")
    expect(idle).to_be_visible(timeout=READY_WITHIN_MS)
    cell = lab.locator(".jp-Notebook-cell .cm-content").first
    output = lab.locator(".jp-OutputArea-output").first

    def tried():
        cell.click()
        lab.keyboard.press("Control+A")
        lab.keyboard.type(code)
        lab.keyboard.press("Control+Enter")
        with suppress(PlaywrightTimeout):
            output.wait_for(timeout=3_000)
        return output.count()

    eventually(tried, within_s=40)
    return output.inner_text()


@pytest.fixture
def told(factory):
    """Tell of somebody who may work here; what they leave running is stopped."""
    told = furnished(factory)["ours"]
    yield told
    with Somebody(factory.url, told) as ada:
        for run in ada.api("GET", "runs/").json()["items"]:
            ada.api("POST", f"runs/{run['code']}/cancel")
            ada.ended(run["code"])


def test_somebody_works_in_jupyterlab_and_is_out_when_they_sign_out(factory, context, told):
    page = signed_in(context, told["email"])
    asked = []
    page.goto(f"/lab/new?case={told['case']}")
    page.get_by_role("button", name="Beginnen").click()
    context.on("request", lambda request: asked.append(request.url))

    with context.expect_page() as opened:
        page.get_by_role("button", name="JupyterLab openen").click()
    lab = opened.value
    expect(lab.locator(".jp-Launcher")).to_be_visible(timeout=READY_WITHIN_MS)
    assert computed(lab, "print(6 * 7)").strip() == "42"

    origins = {re.match(r"\w+://[^/]*", url)[0] for url in asked if "://" in url}
    host = re.match(r"\w+://[^/]*", lab.url)[0]
    assert re.match(r"http://r\d\d-\d", host)
    assert origins == {factory.url, host}

    page.goto("/accounts/logout/")
    page.locator("main form button").first.click()
    expect(page).to_have_url(re.compile(r"/$"))
    eventually(lambda: lab.evaluate(STATUS) == 403, within_s=20)
    again = context.new_page()
    again.goto(lab.url)
    expect(again.locator("h1")).to_have_text("U bent niet in deze sessie")
