"""The card of the Hub, both ways: a README fills the record, the record writes the YAML."""

import time
from datetime import timedelta
from unittest.mock import Mock

import pytest
import yaml
from django.utils import timezone

from fabriek.catalogue import actions, card, gaps, gather, queries, readme
from fabriek.catalogue.models import Record
from fabriek.datasets import actions as datasets
from fabriek.hub import actions as hub
from fabriek.kernel.errors import Invalid, Refused
from fabriek.kernel.models import Entry
from fabriek.store import front_matter
from fabriek.store.base import store_down
from tests.catalogue.conftest import told_of
from tests.datasets.conftest import made, push
from tests.factories import a_case, a_person

README = """---
pretty_name: Messages of a desk
license: cc-by-4.0
language:
- nl
- en-US
- xx
tags: [triage, "zorg: balie", triage]
task_categories: text-classification
size_categories:
- 1K<n<10K
configs:
- config_name: default
  data_files: train.csv
---

# Messages

Made-up messages of patients.

Two paragraphs.

## Files

Not this.
"""


def read_back(dataset):
    blob = readme.of_newest(dataset)
    return readme.read(blob)


# --- reading ---------------------------------------------------------------------------
def test_yaml_and_text_are_taken_apart():
    found = card.read(README)

    assert found.problem == ""
    assert found.matter["pretty_name"] == "Messages of a desk"
    assert found.matter["configs"] == [{"config_name": "default", "data_files": "train.csv"}]
    assert found.body.startswith("\n# Messages\n")


@pytest.mark.parametrize(
    "text",
    ["", "# Only text\n", "----\nno fence\n", "---\n---\nbody\n", "---\n# a: comment\n---\n"],
)
def test_a_readme_without_yaml_is_no_problem(text):
    assert (card.read(text).matter, card.read(text).problem) == ({}, "")


@pytest.mark.parametrize(
    ("matter", "problem"),
    [
        ("license: [unclosed", "not_yaml"),
        ("a: b: c", "not_yaml"),
        ("\tindented: 1", "not_yaml"),
        ("- a\n- b", "no_names"),
        ("just words", "no_names"),
        ("a: &x [1]\nb: *x", "not_yaml"),
        ("a: !!python/object/apply:os.system ['true']", "not_yaml"),
        ("a: " + "[" * 5000, "not_yaml"),
        ("a: " + "{a: " * 50 + "1" + "}" * 50, "not_yaml"),
        ("a: " + "1" * 5000, "not_yaml"),
        ("a: '" + "x" * front_matter.LONGEST_MATTER + "'", "too_long"),
        ("a: \x00", "not_yaml"),
        ("? [1, 2]\n: 3", "not_yaml"),
    ],
)
def test_bad_yaml_is_a_problem_and_the_text_is_kept(matter, problem):
    found = card.read(f"---\n{matter}\n---\nbody\n")

    assert (found.matter, found.problem, found.body) == ({}, problem, "body\n")
    assert str(card.PROBLEMS[found.problem])


def test_yaml_that_is_never_closed_loses_nothing():
    found = card.read("---\nlicense: mit\nbody\n")

    assert (found.problem, found.body) == ("not_closed", "---\nlicense: mit\nbody\n")


def test_an_alias_bomb_costs_no_time():
    bomb = "a: &a [x]\n" + "".join(
        f"{chr(98 + n)}: &{chr(98 + n)} [{', '.join(['*' + chr(97 + n)] * 9)}]\n"
        for n in range(20)
    )
    began = time.process_time()

    assert card.read(f"---\n{bomb}---\n").problem == "not_yaml"
    assert time.process_time() - began < 20  # unfolded, it would never end


def test_no_is_norwegian_and_not_false():
    assert card.read("---\nlanguage: no\non: yes\n---\n").matter == {
        "language": "no",
        "on": "yes",
    }
    assert card.read("---\na: true\n---\n").matter == {"a": True}


# --- filling ---------------------------------------------------------------------------
@pytest.mark.django_db
def test_a_readme_fills_what_is_empty(dataset, lead):
    dataset.description = ""
    dataset.save()
    actions.edit(dataset, by=lead, changes={"keywords": ["mijn woord"]})

    filled = actions.fill_from_readme(dataset, README, by=lead)

    record = Record.objects.get()
    assert sorted(filled.names) == ["languages", "tasks", "text_en", "title_en"]
    assert record.title_en == "Messages of a desk"
    assert record.languages == ["nl", "en"]
    assert record.tasks == ["text-classification"]
    assert record.keywords == ["mijn woord"]
    assert record.text_en == "Made-up messages of patients.\n\nTwo paragraphs."
    entry = Entry.objects.get(verb="catalogue.fill")
    assert (entry.by, sorted(entry.details["filled"])) == (lead, sorted(filled.names))


NL = "Berichten van patiënten, met de balie waar ze horen. Niemand van hen bestaat."
EN = "Messages of patients, with the desk where they belong. None of them exists."
NL_2 = "De berichten zijn gemaakt door mensen die bij de balie werken."
LICENCE = "You may use it for research. The same holds for all that you make of it."


@pytest.mark.parametrize(
    ("language", "title", "body", "expected"),
    [
        ("nl", "Berichten aan de balie", NL, ("Berichten aan de balie", "", NL, "")),
        ("en", "Messages", EN, ("", "Messages", "", EN)),
        # The YAML says in which language the data is: its card may be in another.
        ("nl", "Messages", EN, ("", "Messages", "", EN)),
        ("", "Berichten", NL, ("Berichten", "", NL, "")),
        ("[nl, en]", "Berichten", NL, ("Berichten", "", NL, "")),
        (
            "[nl, en]",
            "Berichten van de balie",
            f"{NL}\n\n{EN}",
            ("Berichten van de balie", "", NL, EN),
        ),
        ("", "The messages", f"{EN}\n\n{NL}", ("", "The messages", NL, EN)),
        # What does not tell is decided by the YAML, and else it is English.
        ("nl", "Balie", "Zorgberichten 2026", ("Balie", "", "Zorgberichten 2026", "")),
        ("", "Balie", "Zorgberichten 2026", ("", "Balie", "", "Zorgberichten 2026")),
        # One paragraph in the other language is a quotation.
        (
            "nl",
            "Berichten",
            "\n\n".join([NL, NL_2, NL, NL_2, LICENCE]),
            ("Berichten", "", "\n\n".join([NL, NL_2, NL, NL_2, LICENCE]), ""),
        ),
    ],
)
def test_a_text_goes_where_its_language_is(language, title, body, expected):
    said = f"language: {language}\n" if language else ""

    found = card.facts(card.read(f"---\npretty_name: {title}\n{said}---\n# X\n\n{body}\n"))

    names = ("title_nl", "title_en", "text_nl", "text_en")
    assert tuple(found.get(name, "") for name in names) == expected


@pytest.mark.django_db
def test_what_the_record_writes_a_record_reads_back(dataset, lead):
    dataset.description = ""
    dataset.save()
    both = {"title_nl": "Berichten van de balie", "text_nl": NL, "text_en": EN}
    actions.edit(dataset, by=lead, changes=both)
    text = actions.card_of(dataset, by=lead)
    actions.edit(dataset, by=lead, changes=dict.fromkeys(both, ""))

    filled = actions.fill_from_readme(dataset, text, by=lead)

    record = Record.objects.get()
    assert {name: getattr(record, name) for name in both} == both
    assert set(both) <= set(filled.names)


@pytest.mark.django_db
def test_the_owner_puts_a_wrong_guess_right_with_one_button(dataset, lead, browser):
    dataset.description = ""
    dataset.save()
    actions.fill_from_readme(dataset, "# X\n\nZorgberichten 2026\n", by=lead)
    page = f"/data/{dataset.code}/record/"
    assert f"{page}swapped/" in browser(lead).get(page).text

    browser(lead).post(f"{page}swapped/")

    record = Record.objects.get()
    assert (record.text_nl, record.text_en) == ("Zorgberichten 2026", "")
    assert browser(a_person()).post(f"{page}swapped/").status_code == 404


@pytest.mark.django_db
def test_nothing_that_somebody_wrote_is_overwritten(dataset, lead):
    told_of(dataset)
    before = Record.objects.values().get()

    assert actions.fill_from_readme(dataset, README, by=lead).names == ()
    assert Record.objects.values().get() == before | {"readme_licence": "CC-BY-4.0"}


@pytest.mark.django_db
def test_bad_yaml_gets_a_sentence_and_loses_nothing(dataset, lead):
    told_of(dataset)

    filled = actions.fill_from_readme(dataset, "---\na: [\n---\n", by=lead)

    assert "cannot be read" in str(filled.problem)
    assert Record.objects.get().readme_problem == "not_yaml"
    assert Record.objects.get().theme == "HEAL"
    actions.fill_from_readme(dataset, README, by=lead)
    assert Record.objects.get().readme_problem == ""


@pytest.mark.django_db
@pytest.mark.parametrize(
    "matter",
    [
        "tags: 5",
        "tags: {a: b}",
        f"tags: [{'x' * 5000}]",
        "tags: [null, true, 3, [a]]",
        'tags: ["abc\\u202edef"]',
        f"pretty_name: {'x' * 900}",
        "pretty_name: [a]",
        "language: {}",
        "license: 5",
    ],
)
def test_what_a_record_cannot_hold_is_left_out_without_a_fuss(dataset, lead, matter):
    filled = actions.fill_from_readme(dataset, f"---\n{matter}\n---\n", by=lead)

    assert filled.problem == ""
    record = Record.objects.get()
    assert (record.keywords, record.languages) == ([], [])
    assert len(record.title_en) <= 200


@pytest.mark.django_db
def test_a_huge_readme_is_a_problem(dataset, lead):
    push(dataset, {"README.md": b"x" * (card.LONGEST_README_BYTES + 1)})

    assert str(actions.gather(dataset).readme_problem) == "too_long"
    problem = actions.fill_from_readme(dataset, "x" * (2**20 + 1), by=lead).problem
    assert "too long" in str(problem)


@pytest.mark.django_db
def test_the_licence_is_never_taken_over_but_a_difference_is_told(browser, dataset, lead):
    text = README.replace("cc-by-4.0", "cc0-1.0")

    actions.fill_from_readme(dataset, text, by=lead)

    dataset.refresh_from_db()
    assert dataset.licence == "CC-BY-4.0"
    page = browser(lead).get(f"/data/{dataset.code}/record/").text
    assert "README.md names another licence (CC0: free for everyone)" in page
    actions.fill_from_readme(dataset, README, by=lead)
    assert "another licence" not in browser(lead).get(f"/data/{dataset.code}/record/").text


# --- the loop -----------------------------------------------------------------------------
@pytest.mark.django_db
def test_the_loop_reads_a_readme_that_was_pushed_and_finds_the_dataset(dataset):
    gather.tick()
    assert Record.objects.get().languages == []

    push(dataset, {"README.md": README.encode()})
    gather.tick()

    assert Record.objects.get().languages == ["nl", "en"]
    assert Entry.objects.get(verb="catalogue.fill").by is None
    words = set(Record.objects.get().stems.values_list("word", flat=True))
    assert {"bericht", "triag"} <= words


@pytest.mark.django_db
def test_a_dataset_of_a_hub_client_is_described_by_its_readme_alone(lead):
    case = a_case(lead=lead)
    place = hub.create("dataset", namespace=case.code, name="desk", by=lead).repository
    gather.tick()
    record = Record.objects.get()
    assert "text" in [gap.field for gap in gaps.gaps(record, None)]

    push(place.dataset, {"README.md": README.encode()}, by=lead)
    gather.tick()

    record.refresh_from_db()
    assert record.text.startswith("Made-up messages of patients.")
    words = set(record.stems.values_list("word", flat=True))
    assert "patient" in words
    assert "program" not in words


@pytest.mark.django_db
def test_the_loop_follows_a_changed_description_and_repeats_without_harm(dataset, lead):
    gather.tick()
    facts = {"licence": "CC0-1.0", "has_personal_data": True, "description": "Over fietsen."}
    datasets.edit(dataset, by=lead, title="Vliegtuigen", **facts)
    before = Record.objects.get().changed_at

    for _ in range(3):
        gather.tick()

    after = Record.objects.get()
    assert {"vliegtuig", "fiets"} <= set(after.stems.values_list("word", flat=True))
    assert not after.stems.filter(word="bericht").exists()
    assert after.changed_at > before


@pytest.mark.django_db
def test_one_bad_dataset_holds_up_no_other(dataset, lead, monkeypatch, caplog):
    other = made(by=lead, case=dataset.case, title="Anders")

    def fails_for_one(found, real=actions.gather):
        if found.pk == dataset.pk:
            raise OSError("disk")
        return real(found)

    monkeypatch.setattr(actions, "gather", fails_for_one)
    gather.tick()

    assert [record.dataset for record in Record.objects.all()] == [other]
    assert "could not be brought up to date" in caplog.text


@pytest.mark.django_db
def test_a_readme_that_came_while_the_store_was_away_is_read_later(dataset, monkeypatch):
    gather.tick()
    push(dataset, {"README.md": README.encode()})
    Entry.objects.update(at=timezone.now() - timedelta(hours=1))  # nobody waits for it any more
    with monkeypatch.context() as away:
        away.setattr(readme, "read", Mock(side_effect=store_down()))
        gather.tick()
    assert not Record.objects.get().keywords

    gather.tick()

    assert Record.objects.get().keywords


@pytest.mark.django_db
def test_a_readme_is_read_once_and_an_emptied_field_stays_empty(dataset, lead):
    push(dataset, {"README.md": README.encode()})
    gather.tick()
    actions.edit(dataset, by=lead, changes={"tasks": []})
    push(dataset, {"other.txt": b"1"})
    gather.tick()

    assert Record.objects.get().tasks == []


# --- writing ---------------------------------------------------------------------------
@pytest.mark.django_db
def test_the_record_writes_the_yaml_and_keeps_the_rest(dataset, lead):
    push(dataset, {"README.md": README.encode(), "train.csv": b"a\n"})
    told_of(dataset)

    saved = actions.write_card(dataset, by=lead)

    found = read_back(dataset)
    assert saved.number == 2
    assert found.matter == {
        "pretty_name": "Berichten aan de zorgbalie",
        "language": ["nl", "en"],
        "license": "cc-by-4.0",
        "tags": ["zorg", "triage"],
        "task_categories": ["text-classification"],
        "size_categories": ["1K<n<10K"],
        "configs": [{"config_name": "default", "data_files": "train.csv"}],
    }
    assert found.body == card.read(README).body
    assert actions.write_card(dataset, by=lead) == saved  # nothing new the second time


@pytest.mark.django_db
@pytest.mark.parametrize("before", [{}, {"README.md": b"# Old\n"}])
def test_a_readme_that_came_while_the_card_was_written_is_not_lost(
    dataset, lead, before, monkeypatch
):
    told_of(dataset)
    if before:
        push(dataset, before)
    written = card.written

    def slowly(*given):
        push(dataset, {"README.md": b"# Theirs\n"})
        return written(*given)

    monkeypatch.setattr(card, "written", slowly)
    with pytest.raises(Refused, match="Somebody saved another README.md"):
        actions.write_card(dataset, by=lead)

    assert read_back(dataset).body == "# Theirs\n"


@pytest.mark.django_db
def test_without_a_readme_a_whole_one_is_written(dataset, lead):
    told_of(dataset)

    actions.write_card(dataset, by=lead)

    text = actions.card_of(dataset, by=lead)
    assert text.startswith("---\npretty_name: Berichten aan de zorgbalie\n")
    assert "\n# Berichten aan de zorgbalie\n" in text
    assert WHOLE_TEXT in text
    assert yaml.safe_load(text.split("---\n")[1])["license"] == "cc-by-4.0"


WHOLE_TEXT = "Verzonnen berichten van patiënten, met de balie waar ze horen."


@pytest.mark.django_db
@pytest.mark.parametrize(
    ("licence", "said"),
    [
        ("CC0-1.0", {"license": "cc0-1.0"}),
        ("consortium-only", {"license": "other", "license_name": "consortium-only"}),
        ("other", {"license": "other", "license_name": "other"}),
    ],
)
def test_licences_are_written_as_the_hub_knows_them(lead, licence, said):
    dataset = made(by=lead, licence=licence)

    matter = card.read(actions.card_of(dataset, by=lead)).matter

    assert {name: matter[name] for name in matter if name.startswith("license")} == said
    assert card.licence_of(matter) == licence


def test_a_name_of_a_licence_counts_beside_other_only():
    """Somebody who changes `license:` on the Hub leaves the name of ours standing."""
    named = {"license_name": "consortium-only"}

    assert card.licence_of({"license": "other"} | named) == "consortium-only"
    assert card.licence_of({"license": "mit"} | named) == "other"


@pytest.mark.django_db
def test_a_readme_that_cannot_be_read_is_not_overwritten(dataset, lead):
    push(dataset, {"README.md": b"---\na: [\n---\nprecious\n"})

    with pytest.raises(Invalid) as refused:
        actions.write_card(dataset, by=lead)

    assert refused.value.code == "bad_readme"
    with readme.the_store().open(readme.of_newest(dataset)) as kept:
        assert b"precious" in kept.read()


@pytest.mark.django_db
def test_strange_words_survive_the_way_there_and_back(dataset, lead):
    strange = ["no", "yes", "1", "null", "a: b", "- x", "'", '"', "#c", "---", "é💥", "{a}"]
    told_of(dataset, keywords=strange, title_nl="--- # : '\" no")

    actions.write_card(dataset, by=lead)

    found = read_back(dataset)
    assert found.matter["tags"] == strange
    assert found.matter["pretty_name"] == "--- # : '\" no"


@pytest.mark.django_db
def test_what_the_hub_library_reads_is_what_was_written(dataset, lead):
    cards = pytest.importorskip("huggingface_hub").DatasetCard
    told_of(dataset)

    data = cards(actions.card_of(dataset, by=lead)).data

    assert data.license == "cc-by-4.0"
    assert data.language == ["nl", "en"]
    assert data.tags == ["zorg", "triage"]
    assert data.pretty_name == "Berichten aan de zorgbalie"


@pytest.mark.django_db
def test_bytes_that_are_no_text_are_a_problem(dataset):
    push(dataset, {"README.md": b"---\nlicense: \xff\xfe\n---\n"})

    assert actions.gather(dataset).readme_problem == "not_text"
    assert queries.record_of(dataset).keywords == []


@pytest.mark.parametrize(
    "line",
    [
        "a: !!bool maybe",
        "a: !!timestamp x",
        'a: !!int ""',
        'a: !!float ""',
        "a: !!str b",
        "a: !own [b]",
        "a: !!set {b}",
        "!!map {a: b}",
        "!!str a: b",
    ],
)
@pytest.mark.django_db
def test_tags_are_not_read_and_break_nothing(dataset, lead, program, line):
    push(dataset, {"README.md": f"---\n{line}\n---\nWords.\n".encode()})

    gather.tick()

    assert Record.objects.get().readme_problem == "not_yaml"
    client = program(lead)
    for answer in (
        client.get(f"/api/catalogue/{dataset.code}/card"),
        client.post(f"/api/catalogue/{dataset.code}/card"),
    ):
        assert (answer.status_code, answer.json()["code"]) == (422, "bad_readme")


@pytest.mark.django_db
def test_a_readme_that_breaks_the_reader_keeps_no_record_away(dataset, monkeypatch):
    push(dataset, {"README.md": b"---\ntags: [a]\n---\nWords.\n"})
    other = made()

    def breaking(_text):
        raise KeyError("what nobody thought of")

    monkeypatch.setattr(card, "read", breaking)

    gather.tick()

    assert set(Record.objects.values_list("dataset", flat=True)) == {dataset.pk, other.pk}
    assert not queries.unrecorded().exists()
