import pytest
from huggingface_hub import ModelCard

from fabriek.datasets.models import Licence
from fabriek.registry import card, licences, scores
from fabriek.store import shown_card

HOSTILE = (
    'x"\n---\nlicense: mit\n# Owned <script>alert(1)</script> [a](javascript:alert(1)) | b\n'
    "\n~~~\n- list\n\n1. one\n\n=== \u202eback"
)


def facts(**changes):
    source = card.Source(
        reference="D26-0001@2",
        title="Messages",
        digest="d" * 64,
        licence="consortium-only",
        has_personal_data=True,
    )
    given = {
        "title": "Messages · fine-tuned language model",
        "case": "C26-0001",
        "case_title": "Shorter waiting",
        "organisation": "Zorgdesk B.V.",
        "purpose": "Messages arrive at the wrong desk.\n\nThis model sorts them.",
        "recipe": "finetune_lm",
        "recipe_summary": "Tunes a model.",
        "run": "R26-0001",
        "made_on": "2026-11-23",
        "seed": 7,
        "code_version": "0.1.0",
        "licence": "eupl-1.2",
        "settings": [setting(title="Method", value="Every weight", option="--method full")],
        "datasets": [source],
        "base": card.Source(
            reference="M26-0001", title="Small base", digest="b" * 64, licence="apache-2.0"
        ),
        "scores": {"exact_match_before": 0.04, "exact_match_after": 0.92, "loss_after": 0.1},
        "facts": {"rows_held_out": 90, "parameters_total": 1_234_567, "flop_estimate": 1e15},
        "gpu_seconds_used": 360,
        "gpu_seconds_estimated": 720,
    }
    return card.CardFacts(**given | changes)


def setting(**fields):
    return card.Setting(**{"title": "a", "value": "b", "option": "c"} | fields)


def test_the_front_matter_is_what_hugging_face_reads():
    data = ModelCard(card.written(facts())).data

    assert data.license == "eupl-1.2"
    assert (data.base_model, data.datasets) == ("M26-0001", ["D26-0001@2"])
    assert (data.library_name, data.pipeline_tag) == ("transformers", "text-generation")
    assert data.tags == ["fabriek", "finetune-lm"]


def test_a_licence_the_hub_does_not_know_is_named_in_its_own_field():
    data = ModelCard(card.written(facts(licence="consortium-only"))).data

    assert (data.license, data.to_dict()["license_name"]) == ("other", "consortium-only")


def test_the_card_tells_scores_origin_making_and_limits():
    text = card.written(facts())

    assert "beantwoordt het 92,0\xa0% precies goed (vooraf: 4,0\xa0%)" in text
    assert "answers 92.0% exactly right (before training: 4.0%)" in text
    assert "| exact match | 4.0% | 92.0% |" in text
    assert "| loss | not measured | 0.100 |" in text
    assert "Measured on 90 rows" in text
    assert "GPU-hours used: 0.10 (estimated before the start: 0.20)" in text
    assert "Parameters total: 1,234,567" in text
    assert "about 1e+15 FLOP of our own, below the 1e23" in text
    assert "treat the model itself as personal data" in text
    assert "| Method | Every weight | `--method full` |" in text


def test_what_was_not_measured_is_said_so():
    text = card.written(facts(scores={}, facts={}, base=None, datasets=[]))

    assert "Nothing was measured." in text
    assert "it was trained from scratch" in text
    assert "FLOP" not in text
    assert "treat the model itself as personal data" not in text


@pytest.mark.parametrize("name", ["title", "case_title", "organisation", "purpose"])
def test_what_people_typed_stays_text(name):
    text = card.written(facts(**{name: HOSTILE}))

    html = shown_card.as_html(text)
    assert ModelCard(text).data.license == "eupl-1.2"
    for mark in ("<script", 'javascript:alert(1)"', "<ol>", "<hr", "<pre", "<h1", "\u202e"):
        assert mark not in html
    headings = ["What it is for", "Scores", "Origin", "How it was made", "What it is not"]
    assert [line for line in headings if f"<h3>{line}</h3>" in html] == headings
    assert html.count("<table") == 2


def test_hostile_names_of_data_base_and_licence_stay_text():
    source = card.Source(reference="D1@1", title=HOSTILE, digest="d", licence=HOSTILE)

    text = card.written(
        facts(
            datasets=[source],
            base=source,
            licence=HOSTILE,
            settings=[setting(title=HOSTILE, value=HOSTILE, option=HOSTILE)],
        )
    )

    html = shown_card.as_html(text)
    assert ModelCard(text).data.to_dict()["license_name"] == HOSTILE.lower()
    assert "<script" not in html
    assert html.count("<h3>") == 6
    assert html.count("<table") == 2


def test_a_card_of_others_is_shown_without_html_pictures_or_inline_styles():
    text = (
        "---\nlicense: mit\n---\n# Title\n\n## Use\n\n<b onclick=x>bold</b> "
        "[site](https://example.org) [file](LICENSE) [bad](javascript:x) "
        "![picture](https://example.org/p.png) ![](javascript:x) "
        "[![badge <i>](https://example.org/b.svg)](https://example.org/ci)\n\n"
        "| a | b |\n|---|--:|\n| 1 | 2 |\n"
    )

    html = shown_card.as_html(text)

    assert "license: mit" not in html
    assert "<h3>Use</h3>" in html
    assert '<a href="https://example.org" rel="nofollow noopener">site</a>' in html
    assert "<a>file</a>" in html
    for name, path in (("picture", "p.png"), ("badge &lt;i&gt;", "ci")):
        link = f'<a href="https://example.org/{path}" rel="nofollow noopener">{name}</a>'
        assert f" {link}" in html
    for mark in ("<b ", "<img", "style=", 'href="javascript', "<h1"):
        assert mark not in html
    assert '<td class="num">2</td>' in html
    assert '<div class="table-wrap" tabindex="0"><table class="table table--plain">' in html
    assert html.endswith("</table></div>\n")


def test_a_card_that_only_looks_like_front_matter_is_shown_whole():
    assert "hello" in shown_card.as_html("--- hello\n\ntext")
    assert "never closed" in shown_card.as_html("---\nnever closed")


@pytest.mark.parametrize(
    ("base", "datasets", "expected"),
    [
        ("", [], Licence.OTHER),
        ("", ["CC0-1.0", "CC-BY-4.0"], "CC-BY-4.0"),
        ("", ["EUPL-1.2", "CC-BY-SA-4.0"], "CC-BY-SA-4.0"),
        ("", ["other", "CC0-1.0"], Licence.OTHER),
        ("apache-2.0", [], "apache-2.0"),
        ("apache-2.0", ["CC-BY-4.0"], "apache-2.0"),
        ("apache-2.0", ["other"], Licence.OTHER),
        ("apache-2.0", ["CC-BY-SA-4.0"], Licence.OTHER),
        ("cc-by-sa-4.0", ["CC-BY-SA-4.0"], "cc-by-sa-4.0"),
        ("apache-2.0", ["consortium-only", "CC0-1.0"], Licence.CONSORTIUM),
        (Licence.CONSORTIUM, ["CC0-1.0"], Licence.CONSORTIUM),
    ],
)
def test_the_licence_is_what_base_and_data_leave(base, datasets, expected):
    assert licences.inherited(base=base, datasets=datasets) == expected


def test_scores_are_paired_the_best_understood_first():
    pairs = scores.pairs(
        {"loss_after": 0.25, "loss_before": 3.0, "exact_match_after": 0.9177, "x": 1}
    )

    assert [(p.name, p.before, p.after) for p in pairs] == [
        ("exact_match", None, 0.9177),
        ("loss", 3.0, 0.25),
        ("x", None, 1),
    ]
    assert pairs[0].after_said == "91.8%"
