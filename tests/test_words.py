"""One English sentence has one Dutch one, in whichever room it is said."""

import runpy
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parent.parent

ACCESS = """
msgid "Go back"
msgstr "Terug"

msgid "Search"
msgstr "Zoeken"

msgid "run"
msgstr "run"
"""
SWEEPS = """
msgid "Go back"
msgstr "Terug"

msgctxt "search for good settings"
msgid "Search"
msgstr "Zoektocht"

msgid "run"
msgid_plural "runs"
msgstr[0] "run"
msgstr[1] "runs"

msgid "not translated yet"
msgstr ""
"""


@pytest.fixture(scope="module")
def disagreeing():
    return runpy.run_path(str(ROOT / "dev" / "messages"))["disagreeing"]


def catalogues(tmp_path, **rooms):
    paths = []
    for room, words in rooms.items():
        path = tmp_path / room / "locale" / "nl" / "LC_MESSAGES" / "django.po"
        path.parent.mkdir(parents=True)
        path.write_text(words)
        paths.append(path)
    return paths


def test_rooms_that_say_the_same_agree_and_a_context_sets_a_meaning_apart(
    tmp_path, disagreeing, capsys
):
    paths = catalogues(tmp_path, access=ACCESS, sweeps=SWEEPS)

    assert disagreeing(paths) == 0
    assert capsys.readouterr().out == ""


def test_rooms_that_differ_are_named_with_both_translations(tmp_path, disagreeing, capsys):
    theirs = SWEEPS.replace("Terug", "Ga terug").replace('[0] "run"', '[0] "training"')
    paths = catalogues(tmp_path, access=ACCESS, sweeps=theirs)

    assert disagreeing(paths) == 1
    assert capsys.readouterr().out == (
        "two kinds of Dutch for 'Go back': 'Terug' in access; 'Ga terug' in sweeps.\n"
        "two kinds of Dutch for 'run': 'run' in access; 'training' in sweeps.\n"
        "Say the same in each, or give what means something else a context (pgettext).\n"
    )
