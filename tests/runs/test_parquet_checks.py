"""Tables of Parquet are looked through behind walls before a run, never in the portal."""

from contextlib import ExitStack
from pathlib import Path

import numpy as np
import pyarrow as pa
import pytest
from pyarrow import parquet
from safetensors.numpy import save_file

from fabriek.kernel.errors import Invalid
from fabriek.quality.room import slot
from fabriek.quality.worker import confine
from fabriek.runs import actions, behind_walls, made, offers, own_copies, recipe_checks
from fabriek_recipes import facts, parquet_rows
from fabriek_recipes.recipe import catalogue
from tests.factories import a_repository
from tests.programs import test_running as programs
from tests.runs import test_pages as pages
from tests.runs.chats import pushed
from tests.runs.world import a_world

pytestmark = pytest.mark.django_db

TABULAR = {"recipe": "tabular", "knobs": {"target": "prijs"}}


@pytest.fixture
def world(db):
    return a_world()


@pytest.fixture(autouse=True)
def no_reader_here(monkeypatch):
    """Let this process fail when it opens a table itself; the program behind walls does not."""

    def opened(_path):
        raise AssertionError("the portal opened a table")

    monkeypatch.setattr(parquet_rows, "opened", opened)


def given(world, held: bytes):
    repository = a_repository(case=world.case, code="D26-7001")
    return {"dataset": pushed(repository, {"table.parquet": held}, world.person)}


@pytest.fixture
def table(tmp_path):
    path = tmp_path / "table.parquet"
    made = pa.table({"uren": list(range(40)), "prijs": [3.5 * n for n in range(40)]})
    parquet.write_table(made, path)
    return path.read_bytes()


def test_a_good_table_is_counted_and_priced(world, table):
    inputs = given(world, table)

    price = actions.price_for(
        actions.Wish(inputs=inputs, **TABULAR), case=world.case, by=world.person
    )

    facts = offers.facts_of(catalogue()["tabular"], inputs, gpus=1)
    assert (facts.rows, facts.columns, facts.text_bytes) == (40, 2, len(table))
    assert price.gpu_seconds > 0


@pytest.mark.parametrize(
    ("target", "cut", "sentence"),
    [
        ("prijs", True, "The file is no whole Parquet file; save it again."),
        ("winst", False, "The table has no column “winst”. It has: uren, prijs."),
    ],
)
def test_what_is_wrong_is_said_before_it_starts(world, table, target, cut, sentence):
    inputs = given(world, table[: len(table) // 2] if cut else table)
    wish = actions.Wish(recipe="tabular", knobs={"target": target}, inputs=inputs)

    with pytest.raises(Invalid) as refused:
        actions.price_for(wish, case=world.case, by=world.person)

    assert sentence in str(refused.value)


def test_a_program_that_ends_without_a_word_is_told_in_one(world, table, monkeypatch):
    monkeypatch.setattr(behind_walls, "answer", lambda _folder: {"trouble": "died"})
    wish = actions.Wish(inputs=given(world, table), **TABULAR)

    with pytest.raises(Invalid) as refused:
        actions.price_for(wish, case=world.case, by=world.person)

    assert refused.value.code == "unreadable_data"
    assert "or as CSV" in str(refused.value)


# --- a program that files have taken over ----------------------------------------------------
ROW = "Jansen, 06-12345678"
LINE = "Line %(line)s has no %(name)s; add it."


@pytest.mark.parametrize(
    "told",
    [
        [[ROW, {}]],
        [["In %(file)s:", {"file": ROW}]],
        [["In %(file)s:", {}]],
        [["In %(file)s:", {"file": "table.parquet", "msgid": "x", "cls": 1}], [LINE, {}]],
        [[LINE, {"line": "x" * 4000, "name": "y" * 4000}]],
        [[LINE, {"line": 1, "name": "y"} | {str(n): n for n in range(30)}]],
    ],
)
def test_what_it_says_in_words_of_its_own_is_told_to_nobody(world, table, monkeypatch, told):
    monkeypatch.setattr(behind_walls, "answer", lambda _folder: {"problems": told})

    with pytest.raises(Invalid) as refused:
        recipe_checks.of_inputs(catalogue()["tabular"], given(world, table))

    assert str(refused.value) == str(recipe_checks.DIED)


def test_why_it_could_not_count_is_told_without_words_of_rows(world, table, monkeypatch):
    empty = "%(file)s: In line %(line)s %(name)s is empty; fill it."
    problem = [empty, {"file": "table.parquet", "line": 2, "name": ROW}]
    told = {"code": "jansen", "problems": [problem]}
    monkeypatch.setattr(behind_walls, "answer", lambda _folder: told)
    monkeypatch.setattr(made, "may_read", lambda _several, person: person is None)

    with pytest.raises(Invalid) as refused:
        offers.facts_of(catalogue()["tabular"], given(world, table), gpus=1, by=world.person)

    said = "table.parquet: In line 2 … is empty; fill it."
    assert (str(refused.value), refused.value.code) == (said, "bad_input")


def test_counting_that_takes_too_long_says_what_may_help(world, table, monkeypatch):
    monkeypatch.setattr(behind_walls, "answer", lambda _folder: {"trouble": "too_slow"})

    with pytest.raises(Invalid) as refused:
        offers.facts_of(catalogue()["tabular"], given(world, table), gpus=1)

    assert "choose a part of the data" in str(refused.value)


# --- others are at it, or no wall stands -----------------------------------------------------
def test_a_form_keeps_what_was_filled_in_while_others_are_at_it(
    world, table, browser, settings, monkeypatch
):
    settings.OWN_CODE = True
    monkeypatch.setattr(recipe_checks, "PATIENCE_S", 0.0)
    given(world, table)
    own = programs.typed(world, chosen=programs.an_upload(), input_dataset="D26-7001@1")
    home = Path(settings.LOOKS_HOME)
    home.mkdir()

    with ExitStack() as held:
        for _number in range(settings.LOOK_WORKERS):
            held.enter_context(slot(home))
        answers = [
            browser(world.person).post(
                pages.FORM.format(world.case.code),
                pages.typed(world, input_dataset="D26-7001@1"),
            ),
            browser(world.person).post(programs.form_of(world), own),
        ]

    for answer, name in zip(answers, ("knob_epochs", "knob_command"), strict=True):
        assert answer.status_code == 422
        assert "are being counted at this moment" in answer.content.decode()
        assert f'name="{name}"' in answer.content.decode()


def test_without_walls_of_weights_only_their_names_are_copied(tmp_path, settings):
    kept, place = tmp_path / "kept.safetensors", tmp_path / "inputs" / "model"
    save_file({"w": np.ones((1000, 10), dtype=np.float32)}, kept)
    before = kept.read_bytes()
    place.mkdir(parents=True)
    (place / "model.safetensors").hardlink_to(kept)

    settings.LOOK_DISK_BYTES = 10
    assert not own_copies.make(place.parent)
    settings.LOOK_DISK_BYTES = 10_000
    assert own_copies.make(place.parent)

    copied = (place / "model.safetensors").read_bytes()
    assert (len(copied), facts.parameters_of(place)) == (len(before), 10_000)
    assert not any(copied[-30_000:])
    assert (kept.read_bytes(), kept.stat().st_nlink) == (before, 1)


def test_without_walls_what_would_fill_the_disk_is_not_looked_at(
    world, table, settings, monkeypatch
):
    monkeypatch.setattr(confine, "can_keep_files", lambda: False)
    settings.LOOK_DISK_BYTES = 10

    with pytest.raises(Invalid) as refused:
        recipe_checks.of_inputs(catalogue()["tabular"], given(world, table))

    assert str(refused.value) == str(recipe_checks.TROUBLES["no_walls"])
