"""Files into a dataset by a real browser: dropped, paused, cut off, and gone on with."""

import hashlib
import json
import os
import re
import subprocess
import sys
from dataclasses import replace
from pathlib import Path

import httpx
import pytest
from playwright.sync_api import expect, sync_playwright

from tests.axe import Watched
from tests.datasets.furnish import PASSWORD
from tests.datasets.wire import Wire
from tests.server import Running
from tests.test_browser import CHROMIUM, FLAGS

pytestmark = [
    pytest.mark.browser,
    pytest.mark.slow,
    pytest.mark.skipif(
        CHROMIUM is None, reason="There is no Chromium here: apt install chromium."
    ),
]
PART_BYTES = 8 * 2**20
BIG = os.urandom(30_000_000)
ROOT = Path(__file__).parents[2]
SOON_MS, SOON_S = 60_000, 60


@pytest.fixture(scope="module")
def factory(tmp_path_factory):
    with Running(tmp_path_factory.mktemp("factory")) as factory:
        yield factory


@pytest.fixture(scope="module")
def chromium():
    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=CHROMIUM, args=FLAGS)
        yield browser
        browser.close()


@pytest.fixture
def told(factory):
    path = os.pathsep.join([str(ROOT), str(ROOT / "src")])
    done = subprocess.run(
        [sys.executable, "-m", "tests.datasets.furnish"],
        cwd=ROOT,
        env=factory.environment | {"PYTHONPATH": path},
        capture_output=True,
        text=True,
    )
    assert done.returncode == 0, done.stderr
    return json.loads(done.stdout)


@pytest.fixture
def wire(factory):
    with Wire(int(factory.url.rpartition(":")[2])) as wire:
        yield wire


@pytest.fixture
def watched(chromium, factory, wire, told):
    with Watched(chromium, replace(factory, url=wire.url)) as watched:
        watched.context.set_default_timeout(SOON_MS)
        watched.page.goto("/accounts/login/")
        watched.page.get_by_label("E-mailadres").fill(told["email"])
        watched.page.get_by_label("Wachtwoord").fill(PASSWORD)
        watched.page.locator("main").get_by_role("button", name="Inloggen", exact=True).click()
        expect(watched.page).to_have_url(f"{wire.url}/")
        watched.page.goto(f"/data/{told['code']}/")
        yield watched


@pytest.fixture
def big(tmp_path):
    path = tmp_path / "opname.bin"
    path.write_bytes(BIG)
    return path


def kept(factory, told):
    """Give {path: SHA-256} of the newest revision, as any program sees it."""
    answer = httpx.get(
        f"{factory.url}/api/datasets/{told['code']}/listing",
        headers={"Authorization": f"Bearer {told['token']}"},
        timeout=SOON_S,
    )
    lines = (line.split(" ", 2) for line in answer.text.splitlines())
    return {path: sha256 for sha256, _size, path in lines}


def part(page, name):
    return page.locator(f"[data-part={name}]")


def saved(page, number):
    expect(page).to_have_url(re.compile(rf"/revisions/{number}/changes/$"), timeout=SOON_MS)


def sha256(content):
    return hashlib.sha256(content).hexdigest()


def offsets(page):
    """Follow where each part that is sent begins."""
    found = []

    def follow(request):
        if request.method == "PATCH":
            found.append(int(request.headers["upload-offset"]))

    page.on("request", follow)
    return found


def cut_off(page, wire, *, after_bytes):
    """Begin to send, and let the network break halfway."""
    wire.left_bytes = after_bytes
    part(page, "send").click()
    waits = part(page, "list").locator("li[data-state=offline]")
    expect(waits).to_have_count(1, timeout=SOON_MS)


def test_files_and_a_folder_are_dropped_and_saved_as_one_revision(
    watched, factory, told, tmp_path
):
    page = watched.page
    watched.look(phone=True)
    for name in ("HEAD", "config"):
        (tmp_path / ".git").mkdir(exist_ok=True)
        (tmp_path / ".git" / name).write_text("git's own")
    part(page, "folder").set_input_files(tmp_path)
    expect(part(page, "list").locator("li")).to_have_count(0)
    expect(part(page, "status")).to_have_text(
        "2 bestanden van git zelf (in de map .git) doen niet mee: "
        "die kan een dataset niet bewaren."
    )
    content = {"één.txt": "eerste", "x" * 120 + ".txt": "tweede"}
    dropped = page.evaluate_handle(
        """files => {
          const carried = new DataTransfer();
          for (const [name, text] of Object.entries(files)) {
            carried.items.add(new File([text], name));
          }
          return carried;
        }""",
        content,
    )
    part(page, "into").fill("les")
    part(page, "drop").dispatch_event("drop", {"dataTransfer": dropped})
    expect(part(page, "list").locator("li")).to_have_count(2)
    part(page, "message").fill("De eerste twee")
    watched.look()

    part(page, "send").click()

    saved(page, 1)
    expect(page.locator(".lede")).to_have_text("De eerste twee")
    assert kept(factory, told) == {
        f"les/{name.rpartition('/')[2]}": sha256(text.encode())
        for name, text in content.items()
    }
    watched.look(phone=True)


# At which second, MB sent and MB left; or what happens between two of those.
SENDING = [
    *[(now, now, 600 - now) for now in range(1, 11)],  # 1 MB/s
    *[(now, now, 635 - now) for now in range(11, 16)],  # hardly other than before
    "jump",  # half a gigabyte was there already
    *[(now, 516 + 10 * (now - 16), 619 - 10 * (now - 16)) for now in range(16, 71)],
    "begin",  # after a pause
    *[(now, now, 50_000) for now in range(1000, 1009)],
    (1009, 900, 50_000),  # some of it has to be sent again
    (1014, 905, 50_000),
    (1020, 911, 0),
]
TOLD_STILL = """async steps => {
  const page = document.querySelector("script[src*='uploads/page']");
  const { Still } = await import(new URL("still.js", page.src));
  const still = new Still(document.querySelector("[data-uploads]"));
  const [shown, said] = ["still", "still-said"].map(
    (name) => document.querySelector(`[data-part=${name}]`)
  );
  const found = [];
  for (const step of steps) {
    if (step === "jump") still.pace.jump(500e6);
    else if (step === "begin") still.begin();
    else still.tell(step[0], step[1] * 1e6, step[2] * 1e6);
    found.push([shown.textContent, said.textContent]);
  }
  return found;
}"""


def test_how_long_still_is_shown_calmly_and_said_once_a_minute(watched):
    told = watched.page.evaluate(TOLD_STILL, SENDING)

    changes = [
        (str(step[0]) if isinstance(step, tuple) else step, *now)
        for step, before, now in zip(SENDING, [["", ""], *told], told, strict=False)
        if now != before
    ]
    assert changes == [
        ("7", "nog ongeveer 10 minuten", "nog ongeveer 10 minuten"),
        ("17", "nog ongeveer 6 minuten", "nog ongeveer 10 minuten"),
        ("22", "nog ongeveer 2 minuten", "nog ongeveer 10 minuten"),
        ("37", "nog ongeveer een minuut", "nog ongeveer 10 minuten"),
        ("47", "nog minder dan een minuut", "nog ongeveer 10 minuten"),
        ("67", "nog minder dan een minuut", "nog minder dan een minuut"),
        ("begin", "", "nog minder dan een minuut"),
        ("1006", "nog ongeveer 14 uur", "nog ongeveer 14 uur"),
        ("1014", "nog ongeveer 15 uur", "nog ongeveer 14 uur"),
        ("1020", "", "nog ongeveer 14 uur"),
    ]


def test_a_large_file_goes_on_where_the_network_cut_it(watched, wire, factory, told, big):
    page = watched.page
    sent = offsets(page)
    part(page, "files").set_input_files(big)

    cut_off(page, wire, after_bytes=PART_BYTES + 2**20)
    expect(part(page, "pause")).to_be_focused()
    wire.mend()

    saved(page, 1)
    # The second part was cut halfway: unproved, nothing of it counted.
    assert list(dict.fromkeys(sent)) == [0, PART_BYTES, 2 * PART_BYTES, 3 * PART_BYTES]
    assert sent.count(0) == 1
    assert kept(factory, told) == {"opname.bin": sha256(BIG)}


def test_paused_closed_and_chosen_again_it_goes_on(watched, wire, factory, told, big):
    page = watched.page
    part(page, "files").set_input_files(big)
    cut_off(page, wire, after_bytes=PART_BYTES + 2**20)
    part(page, "pause").click()
    expect(part(page, "list").locator("li[data-state=paused]")).to_have_count(1)
    expect(part(page, "still")).to_be_empty()
    page.close()
    wire.mend()

    page = watched.context.new_page()
    sent = offsets(page)
    page.goto(f"/data/{told['code']}/")
    expect(part(page, "left-names")).to_have_text("opname.bin")
    part(page, "files").set_input_files(big)
    part(page, "send").click()

    saved(page, 1)
    assert sent == [PART_BYTES, 2 * PART_BYTES, 3 * PART_BYTES]
    assert kept(factory, told) == {"opname.bin": sha256(BIG)}


def test_a_part_that_arrives_damaged_is_sent_again(watched, factory, told, tmp_path):
    page = watched.page
    content = os.urandom(1_500_000)
    (tmp_path / "a.bin").write_bytes(content)
    part(page, "files").set_input_files(tmp_path / "a.bin")
    damaged = []

    def harm(route):
        headers = route.request.headers
        if route.request.method == "PATCH" and not damaged:
            damaged.append(headers["upload-offset"])
            route.continue_(headers=headers | {"upload-checksum": f"sha256 {'A' * 43}="})
        else:
            route.continue_()

    page.route("**/uploads/*", harm)
    part(page, "send").click()

    saved(page, 1)
    assert damaged == ["0"]
    assert kept(factory, told) == {"a.bin": sha256(content)}


def test_stopped_and_thrown_away_nothing_is_left(watched, wire, factory, told, big):
    page = watched.page
    part(page, "files").set_input_files(big)
    cut_off(page, wire, after_bytes=PART_BYTES + 2**20)
    part(page, "pause").click()
    expect(part(page, "list").locator("li[data-state=paused]")).to_have_count(1)
    wire.mend()

    with page.expect_response(lambda answer: answer.request.method == "DELETE") as thrown:
        part(page, "cancel").click()
    assert thrown.value.status == 204
    expect(part(page, "list").locator("li")).to_have_count(0)
    expect(part(page, "files")).to_be_focused()
    page.reload()

    expect(part(page, "left")).to_be_hidden()
    assert (
        httpx.get(
            f"{factory.url}/api/datasets/{told['code']}",
            headers={"Authorization": f"Bearer {told['token']}"},
            timeout=SOON_S,
        ).json()["revision"]
        is None
    )


def test_files_chosen_before_the_page_listened_are_not_forgotten(watched, told, tmp_path):
    page, held = watched.page, []
    (tmp_path / "early.txt").write_text("1")
    page.route("**/uploads/page*.js", lambda route: held.append(route))  # noqa: PLW0108  not a C one
    page.goto(f"/data/{told['code']}/", wait_until="commit")
    part(page, "files").set_input_files(tmp_path / "early.txt")
    page.wait_for_function("document.readyState === 'interactive'")

    held[0].continue_()

    expect(part(page, "list")).to_contain_text("early.txt")
    expect(part(page, "send")).to_be_visible()


def test_ticked_files_are_removed_after_a_question(watched, factory, told, tmp_path):
    page = watched.page
    for name in ("a.txt", "b.txt"):
        (tmp_path / name).write_text(name)
    part(page, "files").set_input_files([tmp_path / "a.txt", tmp_path / "b.txt"])
    part(page, "send").click()
    saved(page, 1)
    page.goto(f"/data/{told['code']}/")

    page.locator("input[name=path][value='a.txt']").check()
    page.locator("form[action$='/remove/'] button").click()
    watched.look(phone=True)
    page.locator("main form[action$='/remove/'] .button--wrong").click()

    expect(page.locator("#notice .message.tone-good")).to_be_visible()
    assert kept(factory, told) == {"b.txt": sha256(b"b.txt")}
