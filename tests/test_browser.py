"""The way to GPU-hours in a real browser, in Dutch: by mouse, by keyboard, without scripts."""

import shutil

import pytest
from playwright.sync_api import expect, sync_playwright

from tests.axe import Watched
from tests.provider import Provider
from tests.server import Running
from tests.visitor import Visitor

BROWSERS = ("chromium", "chromium-browser", "google-chrome")
CHROMIUM = next((found for name in BROWSERS if (found := shutil.which(name))), None)
pytestmark = [
    pytest.mark.browser,
    pytest.mark.slow,
    pytest.mark.skipif(
        CHROMIUM is None, reason="There is no Chromium here: apt install chromium."
    ),
]
FLAGS = [
    "--headless",
    "--no-sandbox",
    "--disable-gpu",
    "--disable-quic",
    "--no-first-run",
    "--disable-background-networking",
    "--disable-component-update",
    "--disable-sync",
]
PASSWORD = "een-lang-wachtwoord-7"
MOST_TABS = 60
# Beside other tests a page takes long; only a test that fails waits so long.
expect.set_options(timeout=60_000)


@pytest.fixture(scope="module")
def provider():
    with Provider() as provider:
        yield provider


@pytest.fixture(scope="module")
def factory(tmp_path_factory, provider):
    home = tmp_path_factory.mktemp("factory")
    elsewhere = {
        "FABRIEK_OIDC_ISSUER": provider.url,
        "FABRIEK_OIDC_CLIENT_ID": "fabriek",
        "FABRIEK_OIDC_SECRET": "geheim",
        "FABRIEK_OIDC_NAME": "Elders",
    }
    with Running(home, **elsewhere) as factory:
        yield factory


@pytest.fixture(scope="module")
def chromium():
    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=CHROMIUM, args=FLAGS)
        yield browser
        browser.close()


@pytest.fixture
def watched(chromium, factory):
    opened = []

    def open_for(email="", **about):
        new = Watched(chromium, factory, **about)
        opened.append(new)
        if email:
            sign_in(new, email)
        return new

    yield open_for
    for each in opened:
        each.context.close()


def newcomer(factory, email, name, kvk_number=""):
    """Make an account, and an organisation, without a browser."""
    visitor = Visitor(factory.url).go("/accounts/signup/")
    visitor.send("signup", email=email, name=name, password1=PASSWORD)
    if kvk_number:
        visitor.go("/people/organisations/new")
        visitor.send(name=f"Firma {name}", kvk_number=kvk_number, kind="sme")
    visitor.http.close()
    return email


def sign_in(watched, email):
    watched.page.goto("/accounts/login/")
    watched.page.get_by_label("E-mailadres").fill(email)
    watched.page.get_by_label("Wachtwoord").fill(PASSWORD)
    press(watched, "Inloggen", within="main")
    expect(watched.page).to_have_url(f"{watched.factory.url}/")


def press(watched, words, within="body"):
    watched.page.locator(within).get_by_role("button", name=words, exact=True).click()


def follow(watched, words):
    watched.page.locator("main").get_by_role("link", name=words, exact=True).first.click()


def take(watched, step):
    """Press the step of the page that leads to an address with `step` at its end."""
    link, form = f"main a.button[href$='{step}']", f"main form[action$='{step}'] button"
    watched.page.locator(link).or_(watched.page.locator(form)).first.click()


def send(watched, step):
    """Press the button of the form that goes to an address with `step` at its end."""
    watched.page.locator(f"main form[action$='{step}'] button").click()
    expect(watched.page.locator("#notice .message.tone-good")).to_be_visible()


def fill(watched, **answers):
    for name, answer in answers.items():
        watched.page.locator(f"[name={name}]").fill(answer)


def choose(watched, **answers):
    for name, answer in answers.items():
        watched.page.check(f"[name={name}][value={answer}]")


def heading(watched, words):
    expect(watched.page.locator("h1")).to_have_text(words)


def test_from_an_account_to_gpu_hours(factory, watched):
    applicant = watched()
    make_account(applicant)
    register_organisation(applicant)
    case = describe_case(applicant)
    take_advice(applicant, case)
    application = applicant.page.url.split("/")[-2]
    fill_in_sections(applicant)
    mend_and_submit(applicant, application)

    staff = watched(newcomer(factory, "marit@fabriek.example", "Marit"))
    assessor = watched(newcomer(factory, "youssef@fabriek.example", "Youssef"))
    factory.manage("appoint", "marit@fabriek.example", "staff")
    factory.manage("appoint", "youssef@fabriek.example", "assessor")
    judge(staff, assessor, application)

    accept(applicant, application)
    open_hours(staff)
    add_data(applicant, case)
    see_a_price(applicant, case)
    see_the_machine(applicant)
    see_the_machine(staff)
    see_the_books(staff)


def make_account(applicant):
    applicant.go("/", phone=True)
    take(applicant, "/accounts/signup/")
    heading(applicant, "Account maken")
    applicant.look()
    fill(applicant, email="fenna@firma.example", name="Fenna", password1=PASSWORD)
    press(applicant, "Mijn account maken")
    expect(applicant.page).to_have_url(f"{applicant.factory.url}/")
    applicant.look()


def register_organisation(applicant):
    take(applicant, "/organisations/new")
    applicant.look(phone=True)
    fill(applicant, kvk_number="12345678", name="Firma Noord", staff_count="12")
    choose(applicant, kind="sme")
    press(applicant, "Organisatie aanmelden")
    heading(applicant, "Firma Noord")
    applicant.look()


def describe_case(applicant):
    take(applicant, "/cases/new")
    fill(applicant, title="Berichten sorteren", problem="Het kost te veel tijd.")
    fill(applicant, data_description="Veertig verzonnen berichten.")
    applicant.page.get_by_label("Sector").select_option(label="Zorg")
    press(applicant, "Concept opslaan")
    heading(applicant, "Berichten sorteren")
    applicant.look()
    take(applicant, "/propose")
    expect(applicant.page.locator(".head .state")).to_have_text("open")
    applicant.look(phone=True)
    return applicant.page.url.split("/")[-2]


def take_advice(applicant, case):
    take(applicant, "/intake")
    applicant.look()
    choose(applicant, purpose="try", experience="none")
    fill(applicant, months="3")
    press(applicant, "Antwoorden opslaan")
    take(applicant, f"/advice/{case}")
    heading(applicant, "Ons advies")
    applicant.look(phone=True)
    take(applicant, "/applications/new")
    heading(applicant, "Berichten sorteren")
    applicant.look()


def fill_in_sections(applicant):
    page = applicant.page
    follow(applicant, "Uw plan")
    applicant.look(phone=True)
    page.locator("[name=result]").press_sequentially("Als zeven van de tien klopt.")
    expect(page.locator(".autosave")).to_contain_text("Bewaard om")
    page.reload()
    expect(page.locator("[name=result]")).to_have_value("Als zeven van de tien klopt.")
    page.locator("[name=approach]").select_option("new_model")
    press(applicant, "Opslaan en verder")
    heading(applicant, "Uw data")
    applicant.look()
    fill(applicant, data_size="1")
    choose(applicant, personal_data="no")
    press(applicant, "Opslaan en verder")
    heading(applicant, "Tijd en hulp")
    applicant.look()
    press(applicant, "Opslaan en verder")
    heading(applicant, "Verklaringen")
    choose(applicant, civilian_purpose="yes", no_double_funding="yes", accepts_terms="yes")
    fill(applicant, aid_received="0")
    press(applicant, "Opslaan en terug")
    heading(applicant, "Berichten sorteren")


def mend_and_submit(applicant, application):
    page = applicant.page
    page.goto(f"/applications/{application}/submit")
    summary = page.locator(".mistakes")
    expect(summary).to_be_focused()
    expect(summary).to_contain_text("Welke hulp wilt u?")
    applicant.look(phone=True)
    summary.get_by_role("link").first.click()
    heading(applicant, "Tijd en hulp")
    expect(page.locator("[name=help_wanted]")).to_be_focused()
    expect(page.locator(".mistakes")).to_contain_text("Welke hulp wilt u?")
    applicant.look()
    page.locator("[name=help_wanted]").select_option("none")
    press(applicant, "Opslaan en terug")
    heading(applicant, "Berichten sorteren")
    follow(applicant, "Controleren en indienen")
    applicant.look()
    press(applicant, "Aanvraag indienen")
    expect(page.locator(".head .state")).to_have_text("ingediend")
    applicant.look()


def judge(staff, assessor, application):
    staff.go("/")
    staff.go(f"/applications/{application}/", phone=True)
    send(staff, "/find_eligible")
    assessor.go("/")
    assessor.go(f"/applications/{application}/")
    choose(assessor, **{"technical-is_positive": "yes"})
    fill(assessor, **{"technical-remarks": "Past op één GPU."})
    send(assessor, "/technical")
    assessor.look()
    staff.go(f"/applications/{application}/")
    fill(staff, **{"award-reasons": "Goed plan."})
    send(staff, "/award")
    staff.look()


def accept(applicant, application):
    applicant.go("/", phone=True)
    applicant.page.goto(f"/applications/{application}/")
    expect(applicant.page.locator("main")).to_contain_text("Goed plan.")
    press(applicant, "Toekenning aannemen")
    expect(applicant.page.locator(".head .state")).to_have_text("aangenomen")
    applicant.look()


def open_hours(staff):
    staff.go("/allocations/")
    staff.page.locator("main a[href*='/allocations/awards/']").first.click()
    staff.look()
    choose(staff, share="nl")
    staff.page.locator("main form button").click()
    staff.look(phone=True)


def add_data(applicant, case):
    applicant.go(f"/data/new/?case={case}")
    fill(applicant, title="Berichten")
    choose(applicant, has_personal_data="no")
    press(applicant, "Dataset maken")
    heading(applicant, "Berichten")
    rows = b'{"prompt": "Brand", "completion": "ja"}\n' * 12
    file = {"name": "rijen.jsonl", "mimeType": "application/jsonl", "buffer": rows}
    applicant.page.locator("input[data-part=files]").set_input_files(file)
    press(applicant, "Bestanden versturen")
    applicant.page.wait_for_url("**/changes/**")  # it goes there once all is saved
    expect(applicant.page.locator("main")).to_contain_text("rijen.jsonl")
    applicant.look(phone=True)


def see_a_price(applicant, case):
    applicant.go(f"/runs/new?case={case}")
    applicant.go(f"/runs/new?case={case}&recipe=pretrain_lm", phone=True)
    price = applicant.page.locator("#price")
    before = price.inner_text()
    fill(applicant, knob_epochs="60")
    applicant.page.keyboard.press("Tab")
    expect(price).not_to_have_text(before)
    applicant.look()


def see_the_machine(watched):
    watched.go("/machine/", phone=True)
    heading(watched, "De machine")
    expect(watched.page.locator("#now .node")).to_have_count(1)
    watched.page.locator("main summary").first.click()
    watched.look(phone=True)


def see_the_books(staff):
    staff.page.locator("main a[href='/machine/books/']").click()
    heading(staff, "De machine en het grootboek")
    staff.look(phone=True)


def test_a_whole_form_by_keyboard_alone(factory, watched):
    email = newcomer(factory, "toets@firma.example", "Toets", "23456789")
    typist = watched(email)
    page, keys = typist.page, typist.page.keyboard
    page.goto("/")
    keys.press("Tab")
    expect(page.locator(".skip")).to_be_focused()
    keys.press("Enter")
    tab_to(typist, "main a.button[href='/cases/new']")
    keys.press("Enter")
    expect(page).to_have_url(f"{factory.url}/cases/new")

    tab_to(typist, "[name=title]")
    keys.type("Met toetsen")
    tab_to(typist, "main form button")
    keys.press("Enter")
    expect(page.locator(".mistakes")).to_be_focused()
    typist.look()
    keys.press("Tab")
    keys.press("Enter")
    expect(page.locator("[name=problem]")).to_be_focused()
    keys.type("Wie niet kan klikken, kan hier toch aanvragen.")
    tab_to(typist, "[name=sector]")
    keys.type("Zorg")
    tab_to(typist, "[name=is_confidential]")
    keys.press("Space")
    tab_to(typist, "main form button")
    keys.press("Enter")

    heading(typist, "Met toetsen")
    expect(page.locator("main")).to_contain_text("Wie niet kan klikken")
    expect(page.locator("main")).to_contain_text("vertrouwelijk")
    typist.look()


def test_a_menu_closes_when_the_focus_goes_on(factory, watched):
    typist = watched(newcomer(factory, "menu@firma.example", "Menu", "23456788"))
    typist.page.goto("/")
    menu = typist.page.locator("details.menu")
    tab_to(typist, "details.menu summary")
    typist.page.keyboard.press("Enter")
    expect(menu).to_have_attribute("open", "")

    tab_to(typist, "main a.button[href='/cases/new']")

    # Open it would lie over what now has the focus.
    expect(menu).not_to_have_attribute("open", "")


def tab_to(watched, selector):
    """Press Tab until the first of these has the focus."""
    wanted = watched.page.locator(selector).first
    for _ in range(MOST_TABS):
        if wanted.evaluate("node => node === document.activeElement"):
            return
        watched.page.keyboard.press("Tab")
    raise AssertionError(f"{selector} is out of reach of the keyboard")


def test_the_same_form_without_scripts(factory, watched):
    email = newcomer(factory, "oud@firma.example", "Oud", "34567890")
    visitor = watched(java_script_enabled=False)
    page = visitor.page
    page.goto("/accounts/login/")
    fill(visitor, login=email, password=PASSWORD)
    press(visitor, "Inloggen", within="main")
    page.goto("/cases/new")

    fill(visitor, title="Zonder scripts")
    press(visitor, "Concept opslaan")
    expect(page.locator(".mistakes")).to_contain_text("Wat wilt u oplossen?")
    expect(page.locator("[name=title]")).to_have_value("Zonder scripts")
    fill(visitor, problem="Oude computers tellen mee.")
    page.locator("[name=sector]").select_option(label="Zorg")
    press(visitor, "Concept opslaan")

    heading(visitor, "Zonder scripts")
    take(visitor, "/propose")
    expect(page.locator(".head .state")).to_have_text("open")
    assert visitor.complaints == []


def test_signing_in_elsewhere_makes_an_account_once(factory, provider, watched):
    claims = {"email": "inge@elders.example", "email_verified": True, "name": "Inge Elders"}
    provider.knows("inge", **claims)
    first, later = watched(), watched()

    sign_in_elsewhere(first, "inge")
    take(first, "/organisations/new")
    fill(first, kvk_number="45678901", name="Firma Elders", staff_count="3")
    choose(first, kind="sme")
    press(first, "Organisatie aanmelden")
    heading(first, "Firma Elders")
    sign_in_elsewhere(later, "inge")

    expect(later.page.locator("body")).to_contain_text("Inge Elders")
    # Only who has an organisation is asked for a case next.
    expect(later.page.locator("main a.button[href='/cases/new']")).to_be_visible()


def sign_in_elsewhere(watched, sub):
    """Go to the provider by form, as Chromium allows, and come back."""
    page = watched.page
    watched.go("/accounts/login/", phone=True)
    page.locator("main").get_by_role("link", name="Elders").click()
    heading(watched, "Inloggen met Elders")
    watched.look(phone=True)
    press(watched, "Verder", within="main")
    page.fill("[name=sub]", sub)
    page.get_by_role("button", name="Authorize").click()
    expect(page).to_have_url(f"{watched.factory.url}/")
    watched.complaints.clear()  # the page in between is not ours
    watched.look()


def test_pages_for_who_is_lost(watched):
    visitor = watched()

    visitor.go("/accounts/login/", phone=True)
    visitor.go("/accounts/password/reset/")
    visitor.page.goto("/nergens")
    heading(visitor, "Wij kunnen deze pagina niet vinden")
    # The browser itself reports that the answer was 404.
    assert len(visitor.complaints) == 1
    visitor.complaints.clear()
    visitor.look()
