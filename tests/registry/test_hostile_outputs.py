"""What a hostile job leaves as its model costs the factory no time, no disk and no peace."""

import json
import logging
import os
import pickle
import time
from contextlib import contextmanager

import pytest
from django.utils import translation

from fabriek.kernel import resting, strange
from fabriek.kernel.errors import Invalid, TooLarge
from fabriek.registry import actions, collect, outputs
from fabriek.registry.models import Model, Rejection
from fabriek.store.queries import the_store
from tests.engines.strangers import open_place
from tests.registry.worlds import a_finished_run, plain_model, weights

pytestmark = pytest.mark.django_db

NOBODY = 65_534
WEIGHTS = "model.safetensors"


def headed(header):
    head = header.encode()
    return len(head).to_bytes(8, "little") + head


def a_header(shape, *, offsets=(0, 0)):
    tensor = {"dtype": "F32", "shape": shape, "data_offsets": offsets}
    return headed(json.dumps({"w": tensor}))


def refused(run):
    with pytest.raises(Invalid) as found:
        actions.register(run)
    return found.value.code, found.value.name


@pytest.mark.parametrize(
    "content",
    [
        a_header(["a", 30_000_000_000]),
        a_header([[1], 10**12]),
        a_header([-2, -4]),
        a_header([True, 8]),
        a_header([2.5]),
        a_header([1] * 9),
        a_header([2**41]),
        a_header([2**40] * 8),
        a_header("ab"),
        a_header([10**100]),
        a_header([1], offsets=["a", "b"]),
        headed("[" * 100_000),
        headed('{"w": 1}'),
        headed("[]"),
        (2**63).to_bytes(8, "little"),
    ],
)
def test_a_header_that_is_made_to_hurt_is_broken(content):
    run = a_finished_run()
    (run.folder / "outputs/model" / WEIGHTS).write_bytes(content)

    assert refused(run) == ("broken_file", WEIGHTS)


def test_numbers_of_thousands_of_digits_take_no_time():
    """Multiplied, these took a minute and a half."""
    run = a_finished_run()
    content = a_header([10**4000] * 3000)
    (run.folder / "outputs/model" / WEIGHTS).write_bytes(content)

    before = time.process_time()
    told = refused(run)

    assert told == ("broken_file", WEIGHTS)
    assert time.process_time() - before < 30


def test_shapes_as_models_have_them_are_counted():
    run = a_finished_run()
    tensors = {
        "w": {"dtype": "F32", "shape": [2, 4], "data_offsets": [0, 32]},
        "scale": {"dtype": "F32", "shape": [], "data_offsets": [32, 36]},
        "none": {"dtype": "F32", "shape": [0, 4], "data_offsets": [36, 36]},
        "__metadata__": {"format": "pt"},
    }
    content = headed(json.dumps(tensors)) + b"\0" * 36
    (run.folder / "outputs/model" / WEIGHTS).write_bytes(content)

    assert outputs.model_files(strange.Place(folder=run.folder)).parameters == 9


def test_many_headers_together_are_as_wrong_as_one_long_header(monkeypatch):
    monkeypatch.setattr(outputs, "HEADERS_BYTES_MAX", 2 * len(weights()))
    run = a_finished_run()
    for name in ("b", "c", "d"):
        (run.folder / f"outputs/model/{name}.safetensors").write_bytes(weights())

    assert refused(run)[0] == "broken_file"


def test_an_endless_list_of_parts_is_broken(monkeypatch):
    monkeypatch.setattr(outputs, "JSON_BYTES_MAX", 1000)
    run = a_finished_run()
    places = {f"layer.{number}": WEIGHTS for number in range(100)}
    index = run.folder / "outputs/model/model.safetensors.index.json"
    index.write_text(json.dumps({"weight_map": places}))

    assert refused(run) == ("broken_file", index.name)


def test_no_memory_for_a_header_is_told_and_not_tried_again(monkeypatch):
    def none_left(*_args, **_named):
        raise MemoryError

    monkeypatch.setattr(outputs, "_parsed", none_left)
    run = a_finished_run()

    collect.tick()

    assert Rejection.objects.get().run == run


# --- size --------------------------------------------------------------------------------
def test_a_file_of_holes_is_refused_before_anything_is_read():
    run = a_finished_run()
    with (run.folder / "outputs/model/huge.txt").open("wb") as file:
        file.truncate(2**40)

    assert refused(run) == ("hollow_file", "huge.txt")
    assert not [*the_store().home.rglob("*/incoming/*")]


def test_more_than_the_factory_takes_from_one_run_is_refused_in_words(settings):
    settings.OUTPUTS_LIMIT_BYTES = 2**20
    run = a_finished_run()
    for name in ("one.txt", "two.txt"):
        (run.folder / "outputs/model" / name).write_bytes(os.urandom(600 * 2**10))

    collect.tick()

    rejection = Rejection.objects.get()
    assert rejection.code == "too_large"
    with translation.override("en"):
        assert "larger than 0.000976562 GiB together" in rejection.sentence


def test_what_grows_between_the_look_and_the_copy_is_refused(settings, monkeypatch):
    settings.OUTPUTS_LIMIT_BYTES = 2**20
    run = a_finished_run()
    found = outputs.model_files(strange.Place(folder=run.folder))
    for name in ("config.json", "tokenizer.json"):
        (run.folder / "outputs/model" / name).write_bytes(os.urandom(600 * 2**10))
    monkeypatch.setattr(outputs, "model_files", lambda _place: found)

    with pytest.raises(TooLarge):
        actions.register(run)


# --- folders that are closed to us -------------------------------------------------------
@contextmanager
def as_nobody():
    os.setegid(NOBODY)
    os.seteuid(NOBODY)
    try:
        yield
    finally:
        os.seteuid(0)
        os.setegid(0)


@pytest.mark.skipif(os.geteuid() != 0, reason="only root can be somebody else")
def test_a_closed_folder_among_the_outputs_is_told_by_name():
    """Root may look into everything; a portal of its own account may not."""
    with open_place() as place:
        place.chmod(0o755)
        plain_model(place / "outputs/model")
        closed = place / "outputs/model/closed"
        closed.mkdir(mode=0o700)

        with as_nobody(), pytest.raises(Invalid) as found:
            outputs.model_files(strange.Place(folder=place))

    assert (found.value.code, found.value.name) == ("unreadable_file", "closed")


def test_a_folder_of_a_run_that_lost_its_access_list_is_read_as_its_account_says(
    settings, tmp_path
):
    settings.UNIX_ACCOUNTS = True
    run = a_finished_run()
    for path in (run.folder / "outputs/model").iterdir():
        path.chmod(0o644)
    tokenizer = run.folder / "outputs/model/tokenizer.json"
    tokenizer.rename(tmp_path / "elsewhere.json")
    tokenizer.hardlink_to(tmp_path / "elsewhere.json")

    assert refused(run) == ("no_plain_file", "tokenizer.json")


# --- many that cannot be registered ------------------------------------------------------
def test_runs_that_cannot_be_registered_do_not_keep_others_waiting(monkeypatch, caplog):
    caplog.set_level(logging.CRITICAL)
    monkeypatch.setattr(collect, "LOOKED_AT", 3)
    for _ in range(5):
        (a_finished_run().folder / "run.json").unlink()
    good = a_finished_run()

    for _ in range(3):
        collect.tick()

    assert Model.objects.get().run == good
    assert not Rejection.objects.exists()


def test_a_run_that_could_not_be_reached_is_registered_when_it_can():
    run = a_finished_run()
    manifest = run.folder / "run.json"
    manifest.rename(manifest.with_name("away"))
    for _ in range(3):
        collect.tick()
    manifest.with_name("away").rename(manifest)
    rested = collect.at_rest[run.key]
    collect.at_rest[run.key] = resting.Rest(tries=rested.tries, until=0)

    collect.tick()

    assert rested.tries == 2  # the third pass left it alone
    assert Model.objects.get().run == run
    assert run.key not in collect.at_rest


def test_only_so_many_rests_are_remembered(monkeypatch):
    monkeypatch.setattr(resting, "RESTING_MAX", 2)
    runs = [a_finished_run() for _ in range(3)]
    collect.at_rest.clear()
    for run in runs:
        (run.folder / "run.json").unlink()

    collect.tick()

    assert [*collect.at_rest] == [runs[1].key, runs[2].key]


@pytest.mark.parametrize(
    ("name", "content", "code"),
    [
        ("notes.txt", pickle.dumps(print), "pickle"),
        ("vocab.json", b"cos\nsystem\n(S'true'\ntR.", "pickle"),
        ("weights.pt.gz", b"anything", "pickle"),
        ("tokenizer.model", b"PK\x03\x04" + b"\0" * 40, "archive"),
    ],
)
def test_what_can_run_code_is_known_by_its_bytes(name, content, code):
    run = a_finished_run()
    (run.folder / "outputs" / "model" / name).write_bytes(content)

    assert refused(run) == (code, name)
    assert not Model.objects.exists()
