"""Rows kept apart are divided where they choose: one half looks, the other scores."""

from fabriek_recipes.training.held_out import HALF_MIN, halved


def names(count: int, twins: int = 1) -> list[str]:
    return [f"row {number // twins}" for number in range(count)]


def test_one_half_chooses_and_the_other_scores():
    rows = names(40)

    found = halved(rows, rows, choosing=True)

    assert len(found.looked_at) == len(found.scored) == 20
    assert set(found.looked_at) | set(found.scored) == set(rows)
    assert not found.is_shared
    assert found.remark is None
    assert found.facts() == {"rows_held_out": 20, "rows_chose": 20}


def test_twins_never_stand_on_both_sides():
    rows = list(range(60))

    found = halved(rows, names(60, twins=3), choosing=True)

    sides = [{number // 3 for number in side} for side in (found.looked_at, found.scored)]
    assert all(sides)
    assert not sides[0] & sides[1]


def test_the_halves_are_the_same_whatever_order_the_rows_stand_in():
    rows = names(50)

    one = halved(rows, rows, choosing=True)
    other = halved(rows[::-1], rows[::-1], choosing=True)

    assert set(one.looked_at) == set(other.looked_at)


def test_where_nothing_is_chosen_all_rows_are_scored():
    rows = names(40)

    found = halved(rows, rows, choosing=False)

    assert found.looked_at == found.scored == rows
    assert found.remark is None
    assert found.facts() == {"rows_held_out": 40}


def test_too_few_rows_do_both_and_how_few_is_said():
    rows = names(2 * HALF_MIN - 1)

    found = halved(rows, rows, choosing=True)

    assert found.is_shared
    assert found.looked_at == found.scored == rows
    assert found.facts() == {"rows_held_out": 19}
    assert str(found.remark).startswith(
        "Only 19 rows are kept apart, too few to divide (20 are needed)"
    )


def test_rows_that_are_nearly_all_alike_cannot_be_divided():
    rows = list(range(40))

    found = halved(rows, ["same"] * 35 + names(5), choosing=True)

    assert found.is_shared


def test_no_rows_at_all_are_no_halves():
    found = halved([], [], choosing=True)

    assert (list(found.looked_at), list(found.scored)) == ([], [])
