"""Walking through the files of a revision, one folder at a time, and searching them."""

import pytest

from fabriek.store import walking
from fabriek.store.models import File
from tests.datasets.conftest import made, push
from tests.factories import a_person

pytestmark = pytest.mark.django_db


def saved(*paths):
    return push(made(by=a_person()), {path: b"%04d" % n for n, path in enumerate(paths)})


def told(page):
    """Give folders with how many files and bytes they hold, and files by their path."""
    return [
        one.path if isinstance(one, File) else (one.path, one.file_count, one.size_bytes)
        for one in page.items
    ]


def test_each_level_has_its_folders_with_all_below_them_and_then_its_own_files():
    revision = saved("z.txt", "a/b/1.txt", "a/b/c/2.txt", "a/3.txt", "a.b/4.txt", "a-b/5.txt")

    assert sorted(told(walking.level(revision, "")), key=str) == sorted(
        [("a-b", 1, 4), ("a.b", 1, 4), ("a", 3, 12), "z.txt"], key=str
    )
    assert told(walking.level(revision, ""))[-1] == "z.txt"
    assert told(walking.level(revision, "a")) == [("a/b", 2, 8), "a/3.txt"]
    assert told(walking.level(revision, "a/b")) == [("a/b/c", 1, 4), "a/b/1.txt"]
    for none in ("none", "z.txt", "A", "a/b/c/2.txt", "%", "_"):
        assert told(walking.level(revision, none)) == []


def test_a_long_level_comes_by_the_page_folders_first(django_assert_num_queries):
    size = walking.PAGE_SIZE
    folders = [f"d/{number:03d}/x.txt" for number in range(size + 2)]
    files = [f"d/{number:03d}.txt" for number in range(size)]
    revision = saved(*folders, *files, "e.txt")

    pages = []
    for number, queries in ((1, 2), (2, 3), (3, 2)):
        with django_assert_num_queries(queries):
            pages.append(walking.level(revision, "d", page=number))

    assert [page.count for page in pages] == [2 * size + 2] * 3
    rows = [row if isinstance(row, str) else row[0] for page in pages for row in told(page)]
    assert rows == [path.removesuffix("/x.txt") for path in folders] + files
    assert walking.level(revision, "d", page="9" * 30).page == 3
    assert walking.level(revision, "d", page="-1").page == 1


def test_a_search_takes_words_as_they_stand_whatever_their_capitals():
    odd = ["100%/a_b.txt", "100x/axb.txt", 'it\'s "so".txt', "Één/één.txt", "met spatie.txt"]
    revision = saved(*odd)

    def found(words, folder=""):
        return told(walking.called(revision, words, folder=folder))

    assert found("0%") == ["100%/a_b.txt"]
    assert found("A_B") == ["100%/a_b.txt"]
    assert found("\\") == []
    assert found("'s \"SO") == ['it\'s "so".txt']
    assert found("t spa") == ["met spatie.txt"]
    # As a Mac writes it: an e, and an accent behind it.
    assert found("e\u0301e\u0301N") == ["Één/één.txt"]
    assert found("100", folder="100x") == []
    assert found("xb", folder="100x") == ["100x/axb.txt"]
    assert walking.normal("E\u0301e\u0301n/\x00") == "Één"
