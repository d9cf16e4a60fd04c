"""Removing what a job left, whatever it put in the way."""

import os

import pytest

from fabriek.runs import sweep


@pytest.fixture
def folder(tmp_path):
    made = tmp_path / "run"
    made.mkdir()
    return made


@pytest.fixture
def elsewhere(tmp_path):
    made = tmp_path / "elsewhere"
    (made / "dataset").mkdir(parents=True)
    (made / "dataset/kept.txt").write_text("kept")
    return made


def test_a_folder_goes_with_all_that_is_in_it(folder):
    (folder / "inputs/dataset/deep").mkdir(parents=True)
    (folder / "inputs/dataset/deep/a").write_text("abc")
    (folder / "inputs/dataset/b").write_text("ab")
    os.mkfifo(folder / "inputs/dataset/pipe")

    assert sweep.counted(folder, "inputs/dataset") == (3, 5)
    sweep.remove(folder, "inputs/dataset")

    assert sweep.names(folder, "inputs") == []
    sweep.remove(folder, "inputs/dataset")  # nothing there is as good


def test_a_link_halfway_goes_and_not_what_it_points_at(folder, elsewhere):
    (folder / "inputs").symlink_to(elsewhere)

    assert sweep.counted(folder, "inputs/dataset")[0] == 1
    sweep.remove(folder, "inputs/dataset")

    assert not (folder / "inputs").is_symlink()
    assert (elsewhere / "dataset/kept.txt").read_text() == "kept"


def test_links_inside_go_and_not_what_they_point_at(folder, elsewhere):
    (folder / "work").mkdir()
    (folder / "work/there").symlink_to(elsewhere)
    (folder / "work/file").symlink_to(elsewhere / "dataset/kept.txt")

    sweep.remove(folder, "work")

    assert (elsewhere / "dataset/kept.txt").read_text() == "kept"
    assert sweep.names(folder) == []


def test_a_link_that_is_swapped_in_while_we_look_is_not_followed(
    folder, elsewhere, monkeypatch
):
    (folder / "work/dataset").mkdir(parents=True)
    (folder / "work/dataset/mine.txt").write_text("mine")
    real = os.unlink

    def swapped_once_it_is_a_folder(name, **where):
        try:
            real(name, **where)
        except IsADirectoryError:
            (folder / "work/dataset").rename(folder / "aside")
            (folder / "work/dataset").symlink_to(elsewhere / "dataset")
            raise

    monkeypatch.setattr(os, "unlink", swapped_once_it_is_a_folder)
    sweep.remove(folder, "work")

    assert (elsewhere / "dataset/kept.txt").read_text() == "kept"
    assert not (folder / "work").exists()


def test_any_depth_goes(folder):
    at = os.open(folder, os.O_RDONLY)
    for name in ("work", *["d"] * 3_000):
        os.mkdir(name, dir_fd=at)
        inner = os.open(name, os.O_RDONLY, dir_fd=at)
        os.close(at)
        at = inner
    os.close(at)

    sweep.remove(folder, "work")

    assert sweep.names(folder) == []


def test_a_folder_of_ours_that_is_closed_to_us_goes_too(folder):
    (folder / "work/closed").mkdir(parents=True)
    (folder / "work/closed/a").write_text("a")
    (folder / "work/closed").chmod(0o000)

    sweep.remove(folder, "work")

    assert sweep.names(folder) == []


def test_names_that_are_no_text_go(folder):
    (folder / "work").mkdir()
    with open(os.fsencode(folder / "work") + b"/\xff\xfe", "w") as file:  # noqa: PTH123
        file.write("a")

    sweep.remove(folder, "work")

    assert not sweep.lies(folder, "work")


@pytest.mark.parametrize(
    "look",
    [
        lambda at: sweep.lies(at, "inputs"),
        sweep.names,
        lambda at: sweep.counted(at, "inputs"),
        lambda at: sweep.remove(at, "inputs"),
    ],
)
def test_a_folder_that_is_away_is_not_an_empty_one(tmp_path, look):
    with pytest.raises(sweep.Unreached):
        look(tmp_path / "away")


def test_a_file_is_replaced_whole_and_never_through_a_link(folder, elsewhere):
    (folder / "outputs").mkdir()
    (folder / "outputs/report.json").symlink_to(elsewhere / "dataset/kept.txt")

    sweep.replace(folder, "outputs/report.json", b"{}")

    assert (folder / "outputs/report.json").read_bytes() == b"{}"
    assert (elsewhere / "dataset/kept.txt").read_text() == "kept"
    (folder / "outputs").rename(folder / "aside")
    (folder / "outputs").symlink_to(elsewhere)
    with pytest.raises(OSError, match="a link is in the way"):
        sweep.replace(folder, "outputs/report.json", b"{}")
