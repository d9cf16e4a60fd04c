"""Rows on disk and the order they come in: each once a pass, the same after a stop."""

from collections import Counter
from itertools import pairwise

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from fabriek_recipes.pretrain_lm.survey import Lowest
from fabriek_recipes.training import frames, streaming
from fabriek_recipes.training.frames import File, Frames
from fabriek_recipes.training.packing import Example
from fabriek_recipes.training.streaming import Stream, Streamed, place_of

WIDTH = 8


def example(*ids):
    return Example(torch.tensor(ids, dtype=torch.int32), 1)


def on_disk(folder, counts, first=0):
    """Write rows that each hold their own number."""
    files, number = [], first
    for place, count in enumerate(counts):
        path = folder / f"rows-{first}-{place}"
        rows = [frames.laid([example(number + at, 1)], WIDTH) for at in range(count)]
        path.write_bytes(np.array(rows, dtype="<u4").tobytes())
        files.append(File(path=path, rows=count))
        number += count
    return Frames(files, WIDTH)


def numbers(rows):
    return [int(row[0].ids[0]) for row in rows]


def planned(stream, **changes):
    told = {
        "rows": stream.rows,
        "stream": stream,
        "rows_per_step": 4,
        "epochs": 2,
        "fill": 0,
        "seed": 1,
        "learning_rate": 0.1,
        "warmup_percent": 0,
        "weight_decay": 0.0,
        "gradient_norm_max": 1.0,
        "checkpoint_every_steps": 1,
    }
    return Streamed(**told | changes)


@given(st.lists(st.lists(st.integers(0, 2**31 - 2), min_size=2, max_size=4), max_size=2))
@settings(max_examples=50, deadline=None)
def test_texts_of_a_row_come_back_as_they_were_laid(texts):
    examples = [example(*ids) for ids in texts]

    found = frames.taken(frames.laid(examples, WIDTH))

    assert [each.ids.tolist() for each in found] == texts
    assert all(each.ids.dtype == torch.int32 and each.learn_from == 1 for each in found)


def test_rows_of_several_files_are_one_sequence(tmp_path):
    rows = on_disk(tmp_path, [3, 0, 2, 4])

    assert len(rows) == 9
    assert numbers(rows) == list(range(9))
    assert numbers(rows[2:5]) == [2, 3, 4]
    assert numbers([rows[-1]]) == [8]
    with pytest.raises(IndexError):
        rows[9]


def test_a_file_of_rows_that_was_cut_short_is_no_silence(tmp_path):
    rows = on_disk(tmp_path, [3])
    path = tmp_path / "rows-0-0"
    path.write_bytes(path.read_bytes()[:-4])

    with pytest.raises(EOFError):
        rows[2]


@pytest.mark.parametrize("count", [1, 255, 256, 300, 4_096, 4_097, 10_000])
def test_in_a_pass_each_row_comes_once_in_an_order_of_its_own(count):
    one, other = (
        [place_of(index, count, seed) for index in range(count)] for seed in ("1:0", "1:1")
    )

    assert sorted(one) == sorted(other) == list(range(count))
    assert count == 1 or one != other
    assert one == [place_of(index, count, "1:0") for index in range(count)]


def test_neighbours_on_disk_are_spread_over_what_is_mixed():
    places = [place_of(index, 50_000, "1:0") for index in range(4_096)]

    blocks = Counter(place // streaming.BLOCK for place in places)

    assert len(blocks) == streaming.MIXED
    assert sum(abs(a - b) == 1 for a, b in pairwise(places)) < 40


def test_each_pass_learns_from_every_row_and_steps_are_full(tmp_path):
    plan = planned(Stream(rows=on_disk(tmp_path, [5, 5]), seed="1", most_texts=1))

    steps = [numbers(plan.rows_of(step)) for step in range(plan.steps)]

    assert [len(step) for step in steps] == [4, 4, 4, 4, 4]
    assert Counter(number for step in steps for number in step) == dict.fromkeys(range(10), 2)


@pytest.mark.parametrize("percent", [1, 5, 25, 33, 50, 90])
def test_general_text_is_mixed_in_evenly_and_own_text_is_all_learned(tmp_path, percent):
    own = Stream(rows=on_disk(tmp_path, [60]), seed="1", most_texts=1)
    general = Stream(rows=on_disk(tmp_path, [7], first=1_000), seed="2", most_texts=3)
    plan = planned(own, mixed_in=general, mixed_percent=percent)

    rows = [number for step in range(plan.steps) for number in numbers(plan.rows_of(step))]

    mine = [number for number in rows if number < 1_000]
    assert Counter(mine) == dict.fromkeys(range(60), 2)
    share = 100 * (len(rows) - len(mine)) / len(rows)
    assert share == pytest.approx(percent, abs=1)
    first = [number >= 1_000 for number in rows[: len(rows) // 2]]
    assert 100 * sum(first) / len(first) == pytest.approx(percent, abs=2)
    assert len(rows) == plan.rows_in_all


def test_the_shape_of_every_step_is_known_without_reading_the_rows(tmp_path):
    own = Stream(rows=on_disk(tmp_path, [60]), seed="1", most_texts=2)
    general = Stream(rows=on_disk(tmp_path, [7], first=1_000), seed="2", most_texts=3)

    frame = planned(own, mixed_in=general, mixed_percent=10).frame(4)

    assert (frame.tokens, frame.texts, frame.longest) == (4 * WIDTH, 12, WIDTH)


@given(st.lists(st.integers(0, 30)), st.integers(0, 6))
@settings(max_examples=100, deadline=None)
def test_the_lowest_different_numbers_are_kept(numbers, most):
    lowest = Lowest(most)
    for number in numbers:
        lowest.note(number)

    assert sorted(lowest) == sorted(set(numbers))[:most]
