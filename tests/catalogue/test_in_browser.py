"""From an empty record to a dataset that a visitor without an account finds, in a browser."""

import pytest
from playwright.sync_api import expect

from tests.test_browser import (  # noqa: F401  fixtures among them
    CHROMIUM,
    choose,
    chromium,
    describe_case,
    factory,
    fill,
    follow,
    heading,
    newcomer,
    press,
    provider,
    watched,
)

pytestmark = [
    pytest.mark.browser,
    pytest.mark.slow,
    pytest.mark.skipif(
        CHROMIUM is None, reason="There is no Chromium here: apt install chromium."
    ),
]


def test_from_an_empty_record_to_what_everybody_finds(factory, watched):  # noqa: F811
    owner = watched(newcomer(factory, "noor@firma.example", "Noor", kvk_number="23456789"))
    owner.go(f"/data/new/?case={describe_case(owner)}")
    fill(owner, title="Berichten")
    choose(owner, has_personal_data="no")
    press(owner, "Dataset maken")
    heading(owner, "Berichten")
    code = owner.page.url.rstrip("/").split("/")[-1]
    owner.go(f"/data/{code}/record/", phone=True)
    expect(owner.page.locator("main")).to_contain_text("Nog nodig: tekst, thema")

    let_everybody_find(owner)
    expect(owner.page.locator("main")).to_contain_text("zodra deze velden zijn ingevuld")
    owner.complaints.clear()  # the browser tells of the refusal too
    owner.go(f"/data/{code}/record/")
    mistake(owner)
    fill_in(owner)
    let_everybody_find(owner)
    expect(owner.page.locator("#notice")).to_contain_text("Iedereen vindt deze dataset nu")
    owner.look(phone=True)

    stranger = watched()
    stranger.go("/catalogue/", phone=True)
    fill(stranger, q="bericht")
    stranger.page.keyboard.press("Enter")
    expect(stranger.page.locator("main tbody tr")).to_have_count(1)
    stranger.look(phone=True)
    follow(stranger, "Berichten aan de balie")
    heading(stranger, "Berichten aan de balie")
    stranger.look(phone=True)
    assert "rijen.jsonl" not in stranger.page.content()
    stranger.go("/catalogue/?q=vliegtuig&theme=HEAL", phone=True)
    expect(stranger.page.locator("main")).to_contain_text("past hierbij")


def let_everybody_find(owner):
    owner.page.check("[name=listed_for][value=everybody]")
    press(owner, "Bepalen")


def mistake(owner):
    fill(owner, landing_page="javascript:alert(1)", maker="Firma Noor")
    press(owner, "Beschrijving opslaan")
    expect(owner.page.locator(".mistakes")).to_be_focused()
    assert owner.page.input_value("[name=maker]") == "Firma Noor"
    owner.look(phone=True)


def fill_in(owner):
    fill(
        owner,
        landing_page="",
        title_nl="Berichten aan de balie",
        text_nl="Verzonnen berichten.",
        contact_name="Team data",
        contact_email="data@firma.example",
        keywords="zorg, triage",
    )
    owner.page.locator("[name=theme]").select_option("HEAL")
    owner.page.locator("[name=access]").select_option("RESTRICTED")
    owner.page.check("[name=languages][value=nl]")
    press(owner, "Beschrijving opslaan")
    expect(owner.page.locator("#notice .message.tone-good")).to_be_visible()
