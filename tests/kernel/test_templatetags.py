"""Words, signs, tables and pictures as pages show them."""

import re
from dataclasses import dataclass
from datetime import UTC, date, datetime
from pathlib import Path

import pytest
from django.db import models
from django.template import Context, Template
from django.template.loader import render_to_string
from django.test import RequestFactory
from django.utils import translation

import fabriek
from fabriek.kernel import words
from fabriek.kernel.charts import Row
from fabriek.kernel.errors import Invalid
from fabriek.kernel.paging import Paged
from fabriek.kernel.steps import NextStep
from fabriek.kernel.timeline import Happening
from fabriek.pages.context import MenuItem

PACKAGE = Path(fabriek.__file__).parent
TEMPLATES = sorted((PACKAGE / "templates").rglob("*.html"))
PARTS = sorted((PACKAGE / "templates" / "parts").glob("_*.html"))
STYLESHEET = (PACKAGE / "static" / "fabriek" / "fabriek.css").read_text()
NOW = datetime(2026, 11, 23, 13, 0, tzinfo=UTC)  # 14:00 in Amsterdam
HOUR = 3600


class Colour(models.TextChoices):
    RED = "red", "bright red"


@dataclass
class Thing:
    state: str


def show(source: str, path: str = "/", **context) -> str:
    request = RequestFactory().get(path)
    return Template(source).render(Context({"request": request, **context})).strip()


def visible(html: str) -> str:
    return " ".join(re.sub(r"<[^>]+>", " ", html).split())


# --- amounts -------------------------------------------------------------------------------
@pytest.mark.parametrize(
    ("seconds", "english", "dutch"),
    [
        (0, "0 GPU-hours", "0 GPU-uren"),
        (HOUR, "1 GPU-hour", "1 GPU-uur"),
        (5000 * HOUR, "5,000 GPU-hours", "5.000 GPU-uren"),
        (1234 * HOUR + HOUR // 2, "1,234.5 GPU-hours", "1.234,5 GPU-uren"),
        (HOUR + 900, "1.25 GPU-hours", "1,25 GPU-uren"),
        (90, "0.025 GPU-hours", "0,025 GPU-uren"),
    ],
)
def test_gpu_seconds_are_written_as_hours_in_the_language_of_the_reader(
    seconds, english, dutch
):
    with translation.override("en"):
        in_english = show("{{ s|gpu_hours }}", s=seconds)
    with translation.override("nl"):
        in_dutch = show("{{ s|gpu_hours }}", s=seconds)

    assert (in_english, in_dutch) == (english, dutch)


def test_a_table_asks_for_the_number_alone_or_with_fixed_decimals():
    with translation.override("en"):
        shown = show('{{ s|gpu_hours:"number" }} {{ s|gpu_hours:1 }}', s=5000 * HOUR)

    assert shown == "5,000 5,000.0"


def test_numbers_are_rounded_and_not_cut_off():
    with translation.override("en"):
        shown = words.gpu_hours(1_500_000)  # 416.67 hours

    assert shown == "416.7 GPU-hours"


def test_what_is_not_known_is_shown_as_nothing():
    filters = ["gpu_hours", "number", "size", "euro", "when", "day", "moment"]

    shown = [show(f"{{{{ nothing|{name} }}}}", nothing=None) for name in filters]

    assert shown == [""] * len(filters)


@pytest.mark.parametrize(
    ("size_bytes", "english", "dutch"),
    [
        (0, "0 B", "0 B"),
        (512, "512 B", "512 B"),
        (999_949, "999.9 kB", "999,9 kB"),
        (999_999, "1.0 MB", "1,0 MB"),
        (1_240_000_000, "1.2 GB", "1,2 GB"),
        (2 * 10**18, "2,000 PB", "2.000 PB"),
    ],
)
def test_bytes_are_written_in_the_unit_people_know(size_bytes, english, dutch):
    with translation.override("en"):
        in_english = show("{{ b|size }}", b=size_bytes)
    with translation.override("nl"):
        in_dutch = show("{{ b|size }}", b=size_bytes)

    assert (in_english, in_dutch) == (english, dutch)


def test_cents_are_written_as_euros():
    with translation.override("en"):
        in_english = show("{{ c|euro }} {{ d|euro }}", c=123_450, d=-5)
    with translation.override("nl"):
        in_dutch = show("{{ c|euro }}", c=123_450)

    assert (in_english, in_dutch) == ("€1,234.50 -€0.05", "€\N{NO-BREAK SPACE}1.234,50")


# --- times ---------------------------------------------------------------------------------
@pytest.mark.parametrize(
    ("value", "english", "dutch"),
    [
        (
            date(2026, 12, 5),
            "in 12 days, on 5 December 2026",
            "over 12 dagen, op 5 december 2026",
        ),
        (
            date(2026, 11, 24),
            "tomorrow, on 24 November 2026",
            "morgen, op 24 november 2026",
        ),
        (
            date(2026, 11, 22),
            "yesterday, on 22 November 2026",
            "gisteren, op 22 november 2026",
        ),
        (
            date(2026, 8, 1),
            "4 months ago, on 1 August 2026",
            "4 maanden geleden, op 1 augustus 2026",
        ),
        (
            date(2029, 11, 23),
            "in 3 years, on 23 November 2029",
            "over 3 jaar, op 23 november 2029",
        ),
        (date(2026, 11, 23), "today", "vandaag"),
        (datetime(2026, 11, 23, 12, 59, 30, tzinfo=UTC), "just now", "zojuist"),
        (
            datetime(2026, 11, 23, 12, 48, tzinfo=UTC),
            "12 minutes ago",
            "12 minuten geleden",
        ),
        (datetime(2026, 11, 23, 16, 5, tzinfo=UTC), "today at 17:05", "vandaag om 17:05"),
        # 23:30 UTC is already the next day in Amsterdam.
        (
            datetime(2026, 11, 23, 23, 30, tzinfo=UTC),
            "tomorrow, on 24 November 2026",
            "morgen, op 24 november 2026",
        ),
    ],
)
def test_a_time_says_how_far_away_it_is_and_when(value, english, dutch):
    with translation.override("en"):
        in_english = words.when(value, now=NOW)
    with translation.override("nl"):
        in_dutch = words.when(value, now=NOW)

    assert (in_english, in_dutch) == (english, dutch)


def test_a_moment_is_a_time_element_that_programs_can_read():
    with translation.override("en"):
        shown = show("{{ at|moment }}", at=NOW)

    assert shown == (
        '<time datetime="2026-11-23T13:00:00+00:00">23 November 2026, 14:00</time>'
    )


# --- states --------------------------------------------------------------------------------
def test_each_tone_has_a_sign_of_its_own_shape():
    tones = ["good", "attention", "wrong", "busy", "neutral"]

    shapes = {show('{% include "parts/_sign.html" %}', tone=tone) for tone in tones}

    assert len(shapes) == len(tones)


def test_a_state_shows_its_word_and_carries_its_tone():
    shown = show("{% state thing.state %}", thing=Thing("running"))

    assert 'class="state state--running tone-busy"' in shown
    assert visible(shown) == "running"


def test_a_choice_brings_its_own_label_and_a_page_may_choose_the_tone():
    shown = show('{% state colour tone="wrong" %}', colour=Colour.RED)

    assert 'class="state state--red tone-wrong"' in shown
    assert visible(shown) == "bright red"


# --- addresses -----------------------------------------------------------------------------
@pytest.mark.parametrize(
    ("tag", "query"),
    [
        ("{% query page=3 %}", "?q=care&amp;sort=name&amp;page=3"),
        ('{% query sort="-name" %}', "?q=care&amp;sort=-name"),
        ("{% query q=None %}", "?sort=name"),
    ],
)
def test_a_link_keeps_what_was_asked_and_starts_at_page_one_after_a_change(tag, query):
    shown = show(tag, "/cases/?q=care&sort=name&page=2")

    assert shown == query


@pytest.mark.parametrize(
    ("path", "link", "direction"),
    [
        ("/", "?sort=name", None),
        ("/?sort=name", "?sort=-name", "ascending"),
        ("/?sort=-name", "?sort=name", "descending"),
    ],
)
def test_a_heading_sorts_one_way_and_then_the_other(path, link, direction):
    shown = show('{% sort_heading "name" "Name" %}', path)

    found = re.search(r'aria-sort="(\w+)"', shown)
    assert f'href="{link}"' in shown
    assert (found and found[1]) == direction


@pytest.mark.parametrize(
    ("page", "numbers"),
    [
        (1, "1 2 … 25 Next"),
        (3, "Previous 1 2 3 4 … 25 Next"),
        (7, "Previous 1 … 6 7 8 … 25 Next"),
        (25, "Previous 1 … 24 25"),
    ],
)
def test_a_long_list_links_to_its_ends_and_its_neighbours(page, numbers):
    with translation.override("en"):
        shown = show("{% pages page %}", page=Paged(items=[], count=1204, page=page, size=50))

    assert visible(shown).replace("Page ", "").endswith(f"of 1,204 {numbers}")


def test_a_short_list_has_no_pages():
    shown = show("{% pages page %}", page=Paged(items=[], count=50, page=1, size=50))

    assert shown == ""


def test_an_address_is_kept_only_where_it_is_always_the_same():
    fixed = Template('{% url "cases:list" as there %}{{ there }} {% url "cases:new" %}')
    varying = Template('{% url "cases:detail" code %}')

    assert [fixed.render(Context()) for _ in range(2)] == ["/cases/ /cases/new"] * 2
    assert varying.render(Context({"code": "C26-0001"})) == "/cases/C26-0001/"
    assert varying.render(Context({"code": "C26-0002"})) == "/cases/C26-0002/"


@pytest.mark.parametrize(("kind", "shown"), [("main", "Cases"), ("all", "Cases Tokens")])
def test_the_menu_keeps_what_is_personal_out_of_the_bar(kind, shown):
    menu = [MenuItem("Cases", "/cases/", True), MenuItem("Tokens", "/tokens/", False, True)]

    assert visible(show(f'{{% menu_items menu "{kind}" %}}', menu=menu)) == shown


# --- what is drawn without a template ------------------------------------------------------
def test_a_line_of_a_story_escapes_what_people_wrote():
    line = Happening(at=NOW, sentence="<b>won</b>", by="A & B", note="<i>", tone="good")

    with translation.override("en"):
        shown = show("{{ entries|happened }}", entries=[line])

    assert shown == (
        '<li class="tone-good"><p class="timeline__sentence">&lt;b&gt;won&lt;/b&gt;</p>'
        '<p class="timeline__note">&lt;i&gt;</p><p class="timeline__at">'
        '<time datetime="2026-11-23T13:00:00+00:00">23 November 2026, 14:00</time>'
        " · A &amp; B</p></li>"
    )


@pytest.mark.parametrize(("happened", "folded"), [(0, 0), (8, 0), (9, 1), (30, 22)])
def test_what_happened_long_ago_is_folded_away(happened, folded):
    entries = [Happening(at=NOW, sentence=str(n)) for n in range(happened)]

    shown = render_to_string("parts/_timeline.html", {"entries": entries})

    _newest, _fold, older = shown.partition("<details")
    assert (shown.count("<li>"), older.count("<li>")) == (happened, folded)


def test_a_row_beside_a_chart_is_escaped():
    shown = show("{{ rows|figures }}", rows=[Row(at="1", values=("< 0.001", ""))])

    assert shown == (
        '<tr><th scope="row" class="num">1</th><td class="num">&lt; 0.001</td>'
        '<td class="num"></td></tr>'
    )


# --- next steps ----------------------------------------------------------------------------
def step(**changes) -> NextStep:
    given = {"name": "go", "label": "Go", "sentence": "You can go.", "url": "/go"} | changes
    return NextStep(**given)


def test_the_first_step_is_the_sentence_with_the_button_and_others_stand_beside_it():
    steps = [step(), step(label="Stop", sentence="You can stop.", url="/stop", tone="danger")]

    shown = show("{% next_steps steps %}", steps=steps, csrf_token="secret")

    assert visible(shown) == "You can go. Go Stop"
    assert shown.count('method="post"') == shown.count("csrfmiddlewaretoken") == 2
    assert shown.count("button--wrong") == 1


def test_a_step_that_only_leads_somewhere_is_a_link():
    shown = show("{% next_steps steps %}", steps=[step(method="get")])

    assert '<a class="button" href="/go">Go</a>' in shown
    assert "<form" not in shown


def test_who_has_nothing_to_do_is_told_so():
    shown = show('{% next_steps steps waiting="The factory is reading it." %}', steps=[])

    assert visible(shown) == "The factory is reading it."
    assert "button" not in shown


# --- pictures ------------------------------------------------------------------------------
def test_a_budget_is_drawn_with_coordinates_that_no_language_changes():
    with translation.override("nl"):
        shown = show("{% meter granted=g spent=s held=h %}", g=8 * HOUR, s=3 * HOUR, h=HOUR)

    assert 'x="0.00%" width="37.50%"' in shown
    assert 'x="37.50%" width="12.50%"' in shown
    assert visible(shown) == (
        "4 over van 8 GPU-uren 3 verbruikt 1 vastgehouden voor lopend werk 4 over"
    )


def test_a_budget_that_is_overspent_never_leaves_the_bar():
    shown = show("{% meter granted=g spent=s held=h %}", g=HOUR, s=2 * HOUR, h=HOUR)

    ends = [
        float(x) + float(w) for x, w in re.findall(r'x="([\d.]+)%" width="([\d.]+)%"', shown)
    ]
    assert max(ends) <= 100
    assert "meter--full" in shown


def test_an_empty_budget_is_drawn_as_empty():
    shown = show("{% meter granted=0 spent=0 %}")

    assert 'class="meter__spent"' not in shown


# --- refusals and templates ----------------------------------------------------------------
def test_a_refusal_shows_its_sentence_its_code_and_the_fields():
    refusal = Invalid("Line 2 is <broken>.", fields={"file": "line 2"})

    shown = render_to_string("_refusal.html", {"refusal": refusal})

    assert 'data-code="invalid"' in shown
    assert visible(shown) == "Line 2 is &lt;broken&gt;. file : line 2"


@pytest.mark.parametrize("name", ["400", "403", "404", "500"])
@pytest.mark.parametrize("language", ["nl", "en"])
def test_an_error_page_needs_nothing_and_says_what_to_do(name, language):
    with translation.override(language):
        shown = render_to_string(f"{name}.html")  # a server error is rendered without context

    assert f'<html lang="{language}">' in shown
    assert 'class="button" href="/"' in shown


@pytest.mark.parametrize("path", TEMPLATES, ids=lambda path: path.name)
def test_no_template_has_style_or_script_of_its_own(path):
    source = path.read_text()

    assert not re.search(r"<style|\sstyle=|\son\w+=|<script(?![^>]*\ssrc=)", source)


@pytest.mark.parametrize("path", PARTS, ids=lambda path: path.name)
def test_a_part_says_first_which_variables_it_takes(path):
    head = path.read_text()[:400]

    assert re.search(r"Takes[ :]", head)


# --- colours -------------------------------------------------------------------------------
def palettes() -> dict[str, dict[str, str]]:
    """Read the colours of both schemes; dark inherits what it does not change."""
    light, dark = STYLESHEET.split("@media screen and (prefers-color-scheme: dark)", 1)
    dark = dark.split("/* --- Base", 1)[0]
    found = [dict(re.findall(r"--([\w-]+): (#[0-9a-f]{6})\b", part)) for part in (light, dark)]
    return {"light": found[0], "dark": found[0] | found[1]}


def luminance(colour: str) -> float:
    """Compute it as https://www.w3.org/TR/WCAG22/#dfn-relative-luminance says."""
    parts = [int(colour[i : i + 2], 16) / 255 for i in (1, 3, 5)]
    linear = [c / 12.92 if c <= 0.04045 else ((c + 0.055) / 1.055) ** 2.4 for c in parts]
    return 0.2126 * linear[0] + 0.7152 * linear[1] + 0.0722 * linear[2]


def contrast(one: str, other: str) -> float:
    high, low = sorted((luminance(one), luminance(other)), reverse=True)
    return (high + 0.05) / (low + 0.05)


GROUNDS = ("paper", "sheet", "shade")
TINTS = ("brick-tint", "leaf-tint", "amber-tint", "wine-tint")
TEXT_PAIRS = [
    *((ink, ground) for ink in ("ink", "muted") for ground in (*GROUNDS, *TINTS)),
    *(
        (ink, ground)
        for ink in ("brick", "brick-deep", "leaf", "amber", "wine", "slate")
        for ground in GROUNDS
    ),
    ("brick", "brick-tint"),
    ("leaf", "leaf-tint"),
    ("amber", "amber-tint"),
    ("wine", "wine-tint"),
    ("on-brick", "brick"),
    ("on-brick", "brick-deep"),
    ("paper", "ink"),
]
GRAPHIC_PAIRS = [("edge", ground) for ground in GROUNDS]


@pytest.mark.parametrize("scheme", ["light", "dark"])
@pytest.mark.parametrize("pair", TEXT_PAIRS, ids="-on-".join)
def test_text_can_be_read_on_its_ground(scheme, pair):
    colours = palettes()[scheme]

    assert contrast(colours[pair[0]], colours[pair[1]]) >= 4.5


@pytest.mark.parametrize("scheme", ["light", "dark"])
@pytest.mark.parametrize("pair", GRAPHIC_PAIRS, ids="-on-".join)
def test_borders_that_matter_can_be_seen(scheme, pair):
    colours = palettes()[scheme]

    assert contrast(colours[pair[0]], colours[pair[1]]) >= 3


def test_every_colour_comes_from_the_tokens():
    rules = STYLESHEET.split("/* --- Base", 1)[1].split("@media print", 1)[0]

    # White behind a QR code is no choice of taste: scanners need it.
    assert set(re.findall(r"#[0-9a-fA-F]{3,8}\b", rules)) == {"#fff"}
