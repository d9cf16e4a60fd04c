import pickle

import pytest

from fabriek.kernel import pickles


@pytest.mark.parametrize("protocol", range(pickle.HIGHEST_PROTOCOL + 1))
def test_a_pickle_that_runs_something_is_told_by_its_first_bytes(protocol):
    assert pickles.begins_so(pickle.dumps(print, protocol))


def test_what_is_no_pickle_is_read_without_a_warning_to_the_operator():
    """Warnings are errors here: random bytes may hold an escape that Python warns of."""
    assert not pickles.begins_so(b"c'\\\nabc\n'\\d'\nX")
    assert pickles.begins_so(b"cos\n'\\d'\n.")
