import unicodedata

import pytest

from fabriek.kernel.errors import Invalid
from fabriek.store import paths


@pytest.mark.parametrize(
    "path",
    [
        "data.jsonl",
        "train/deel 1/a-b_c.csv",
        ".hidden",
        "zorg/één.txt",
        "a" * 255,
        "été.v2.txt",
    ],
)
def test_an_ordinary_name_stays_as_it_is(path):
    assert paths.clean(path) == path


@pytest.mark.parametrize(
    ("path", "said"),
    [
        ("", "no name"),
        ("../secrets", "“../secrets” steps out of the folder"),
        ("a/../../b", "steps out of the folder"),
        ("./a", "steps out of the folder"),
        ("..", "steps out of the folder"),
        ("/etc/passwd", "begins at the root of a disk"),
        ("C:/data.csv", "begins at the root of a disk"),
        ("a\\b.csv", "Part folders with /"),
        ("a//b", "empty folder name"),
        ("a/", "empty folder name"),
        ("a\x00b", "signs that cannot be seen"),
        ("a\nb", "“a?b” holds signs that cannot be seen"),
        ("a\u202etxt.exe", "signs that cannot be seen"),
        ("a\ud800", "signs that cannot be seen"),
        (" a", "begins or ends with a space"),
        ("map /a", "begins or ends with a space"),
        ("a.", "space or a dot"),
        ("CON", "computers keep for themselves"),
        ("x/lpt1.txt", "computers keep for themselves"),
        ("a/.fabriek/x", "computers keep for themselves"),
        ("a/.GIT/config", "Leave out the folder .git."),
        ("a" * 256, "each part may be 255 bytes"),
        ("é" * 128, "each part may be 255 bytes"),
        ("a/" * 512 + "b", "longer than 1,024 characters"),
    ],
)
def test_a_name_that_breaks_a_rule_is_refused_in_words(path, said):
    with pytest.raises(Invalid) as refusal:
        paths.clean(path)

    assert said in str(refusal.value)
    assert refusal.value.code == "path"


def test_a_name_of_300_characters_is_shortened_in_the_sentence():
    with pytest.raises(Invalid) as refusal:
        paths.clean("x" * 300 + ".jsonl")

    assert str(refusal.value) == (
        f"The name “{'x' * 59}…” is too long: each part may be 255 bytes. Shorten the name."
    )


def test_a_name_typed_on_a_mac_is_kept_in_the_common_form():
    typed = unicodedata.normalize("NFD", "één.txt")

    assert paths.clean(typed) == unicodedata.normalize("NFC", "één.txt")


def test_two_spellings_of_one_name_are_refused():
    both = ["één.txt", unicodedata.normalize("NFD", "één.txt")]

    with pytest.raises(Invalid, match="named twice"):
        paths.clean_all(both)


@pytest.mark.parametrize(
    ("together", "said"),
    [
        (["Data.csv", "data.csv"], "“data.csv” and “Data.csv” differ in capitals only"),
        (["straße", "STRASSE"], "differ in capitals only"),
        (["data", "data/a.csv"], "“data” is a file, so it cannot be the folder"),
        (["a/B/c", "A/b"], "“A/b” is a file, so it cannot be the folder"),
    ],
)
def test_names_that_cannot_live_together_are_refused(together, said):
    with pytest.raises(Invalid) as refusal:
        paths.check_together(together)

    assert said in str(refusal.value)


def test_names_that_can_live_together_pass():
    paths.check_together(["a.csv", "a/b.csv", "a/c.csv", "ab"])
