"""One English sentence has one Dutch one, in whichever room it is said."""

import runpy
from gettext import GNUTranslations
from pathlib import Path

import pytest
from django.utils import translation

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


def test_what_we_say_is_shown_also_where_a_library_says_it_otherwise():
    """Of apps the first one wins in Django, and allauth stands before ours."""
    made = sorted((ROOT / "src").glob("**/locale/nl/LC_MESSAGES/django.mo"))
    if not made:
        pytest.skip("The catalogues are not compiled here.")

    with translation.override("nl"):
        for path in made:
            for key, ours in words_of(path).items():
                assert (translation.gettext(key), path.parts[-5]) == (ours, path.parts[-5])


def words_of(path):
    with path.open("rb") as file:
        said = GNUTranslations(file)._catalog  # noqa: SLF001  it has no other way to list them
    return {key: ours for key, ours in said.items() if key and isinstance(key, str)}
