import io
import json
import threading

import pytest
from django.db import connection
from django.db.models.signals import post_save

from fabriek.kernel.errors import Invalid, Refused, WrongState
from fabriek.kernel.models import Entry
from fabriek.registry import actions, collect, outputs
from fabriek.registry.models import Model, Rejection
from fabriek.runs.states import RunState
from fabriek.store import arriving, claims
from fabriek.store import queries as store
from fabriek.store.models import Arrival, File, Repository, Revision
from tests.factories import a_model
from tests.registry.worlds import a_consortium, a_finished_run, some_data, weights
from tests.store.test_files import files_of_at_most

pytestmark = pytest.mark.django_db


def paths_of(model):
    return list(model.revision.files.values_list("path", flat=True))


def test_what_a_run_left_becomes_a_model_with_card_scores_and_origin():
    case, _lead, _member = a_consortium()
    data = some_data(case, licence="CC-BY-4.0")
    run = a_finished_run(case=case, data=[data])

    model = actions.register(run)

    assert model.code.startswith("M")
    assert (model.title, model.case, model.run, model.base) == (
        "Messages to the desk · verder getraind taalmodel",
        case,
        run,
        None,
    )
    assert model.licence == "CC-BY-4.0"
    assert model.scores == run.scores
    assert paths_of(model) == [
        "README.md",
        "config.json",
        "model.safetensors",
        "tokenizer.json",
    ]
    repository = Repository.objects.get(code=model.code)
    assert (repository.title, repository.kind, repository.is_open) == (
        model.title,
        "model",
        False,
    )
    readme = model.revision.files.get(path="README.md").blob
    with store.the_store().open(readme) as file:
        assert file.read().decode() == model.card
    entry = Entry.objects.get(verb="registry.register")
    assert (entry.by, entry.thread, entry.details["run"]) == (None, case.code, run.code)


@pytest.mark.parametrize(
    ("language", "recipe", "ending"),
    [
        ("nl", "finetune_lm", "verder getraind taalmodel"),
        ("nl", "pretrain_lm", "nieuw taalmodel"),
        ("en", "finetune_lm", "fine-tuned language model"),
        ("en", "pretrain_lm", "new language model"),
    ],
)
def test_the_title_ends_in_what_it_is_in_the_language_of_the_factory(
    settings, language, recipe, ending
):
    settings.LANGUAGE_CODE = language
    case, _lead, _member = a_consortium()
    run = a_finished_run(case=case, data=[some_data(case)], recipe=recipe)

    model = actions.register(run)

    repository = Repository.objects.get(code=model.code)
    assert (model.title, repository.title) == (f"Messages to the desk · {ending}",) * 2
    assert f"\n# Messages to the desk · {ending}\n" in model.card


def test_the_card_tells_settings_in_words_and_as_they_are_typed():
    run = a_finished_run(knobs={"method": "full", "epochs": 3, "learning_rate": 2e-5})

    card = actions.register(run).card

    assert card.partition("|---|---|---|\n")[2].splitlines()[:3] == [
        "| Method | Every weight | `--method full` |",
        "| Passes over the data | 3 passes | `--epochs 3` |",
        "| Learning rate | 0.00002 | `--learning-rate 2e-05` |",
    ]


def test_rows_of_people_stay_in_the_run_and_odd_figures_are_left_out():
    run = a_finished_run()
    report = '{"rows_trained": 3, "wrong": [{"a": 1}], "nan": NaN, "big": 1e99, "z": "\\u0000"}'
    (run.folder / "outputs/report.json").write_text(report)

    model = actions.register(run)

    model.refresh_from_db()
    assert model.facts == {"parameters_total": 8, "rows_trained": 3}


def test_the_adapter_is_kept_beside_the_merged_model():
    run = a_finished_run()
    folder = run.folder / "outputs/adapter"
    folder.mkdir()
    (folder / "adapter_config.json").write_text("{}")
    (folder / "adapter_model.safetensors").write_bytes(weights(shape=(9, 9)))

    model = actions.register(run)

    assert "adapter/adapter_model.safetensors" in paths_of(model)
    assert model.facts["parameters_total"] == 8


def test_the_model_it_started_from_is_its_base():
    case, _lead, _member = a_consortium()
    base = a_model(case=case, licence="apache-2.0")
    run = a_finished_run(case=case, base=base)

    model = actions.register(run)

    assert (model.base, model.licence) == (base, "apache-2.0")


def test_registering_twice_makes_one_model():
    run = a_finished_run()

    first, second = actions.register(run), actions.register(run)

    assert first == second
    assert Repository.objects.filter(kind="model").count() == 1
    assert Entry.objects.filter(verb="registry.register").count() == 1


def test_a_pass_that_died_before_the_end_is_taken_up_again():
    run = a_finished_run()
    died = Repository.objects.create(
        code=run.key, kind="model", case=run.case, organisation=run.case.organisation
    )

    model = actions.register(run)

    assert model.revision.repository == died


@pytest.mark.django_db(transaction=True)
def test_two_passes_at_once_make_one_model():
    if connection.vendor == "sqlite":
        pytest.skip("SQLite lets one writer in at a time; there is no at once")
    run = a_finished_run()
    together = threading.Barrier(2)
    found = []

    def register():
        together.wait(timeout=60)
        found.append(actions.register(run).pk)
        connection.close()

    threads = [threading.Thread(target=register) for _ in range(2)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()

    model = Model.objects.get()
    assert found == [model.pk, model.pk]
    assert Repository.objects.filter(kind="model").count() == 1
    assert Revision.objects.count() == 1
    assert Entry.objects.filter(verb="registry.register").count() == 1


@pytest.mark.django_db(transaction=True)
def test_a_pass_that_still_takes_a_file_in_does_not_stop_one_that_registers(monkeypatch):
    if connection.vendor == "sqlite":
        pytest.skip("SQLite lets one writer in at a time; there is no at once")
    run = a_finished_run()
    place = Repository.objects.create(
        code=run.key, kind="model", case=run.case, organisation=run.case.organisation
    )
    content = (run.folder / "outputs/model/config.json").read_bytes()
    keep, holds, told = claims.keep, threading.Event(), []

    def slow(rows):
        if threading.current_thread() is beside:
            holds.set()  # the place, and not yet the file
            threading.Event().wait(1)
        keep(rows)

    def take():
        told.append(arriving.store_bytes(place, io.BytesIO(content), by=None).size_bytes)
        connection.close()

    monkeypatch.setattr(claims, "keep", slow)
    beside = threading.Thread(target=take)
    beside.start()
    assert holds.wait(60)

    model = actions.register(run)

    beside.join(300)
    assert told == [len(content)]
    assert model.revision.repository == place


@pytest.fixture
def meanwhile():
    """Let something else happen at the moment the next file is taken in."""
    waiting = []

    def happen(**_signal):
        if waiting:
            waiting.pop()()

    post_save.connect(happen, sender=Arrival)
    yield waiting.append
    post_save.disconnect(happen, sender=Arrival)


def test_a_pass_that_is_overtaken_finds_the_model_of_the_other(meanwhile):
    run = a_finished_run()
    quicker = []
    meanwhile(lambda: quicker.append(actions.register(run)))

    slower = actions.register(run)

    assert [slower] == quicker
    assert Repository.objects.filter(kind="model").count() == 1
    assert Revision.objects.count() == 1
    assert Entry.objects.filter(verb="registry.register").count() == 1


def test_a_run_that_has_not_succeeded_has_no_model():
    run = a_finished_run(state=RunState.FAILED)

    with pytest.raises(WrongState):
        actions.register(run)

    assert not Model.objects.exists()


def test_a_folder_that_cannot_be_reached_proves_nothing():
    run = a_finished_run()
    (run.folder / "run.json").unlink()

    with pytest.raises(Refused) as refused:
        actions.register(run)
    collect.tick()

    assert refused.value.code == "not_reached"
    assert not Rejection.objects.exists()


@pytest.mark.parametrize("name", ["pytorch_model.bin", "weights.PT", "deep/optimizer.pkl"])
def test_formats_that_can_run_code_are_refused(name):
    run = a_finished_run()
    path = run.folder / "outputs/model" / name
    path.parent.mkdir(exist_ok=True)
    path.write_bytes(b"cos\nsystem")

    with pytest.raises(Invalid) as refused:
        actions.register(run)

    assert (refused.value.code, refused.value.name) == ("pickle", name)
    assert not File.objects.exists()


@pytest.mark.parametrize("name", ["modeling.py", "run.sh", "picture.png"])
def test_files_of_other_kinds_are_refused(name):
    run = a_finished_run()
    (run.folder / "outputs/model" / name).write_bytes(b"x")

    with pytest.raises(Invalid) as refused:
        actions.register(run)

    assert refused.value.code == "unknown_file"


def test_hidden_files_of_other_tools_are_left_behind():
    run = a_finished_run()
    (run.folder / "outputs/model/.cache").mkdir()
    (run.folder / "outputs/model/.cache/trace.bin").write_bytes(b"x")

    model = actions.register(run)

    assert paths_of(model) == [
        "README.md",
        "config.json",
        "model.safetensors",
        "tokenizer.json",
    ]


@pytest.mark.parametrize("name", ["config.json", "model.safetensors"])
def test_a_model_without_a_needed_file_is_refused(name):
    run = a_finished_run()
    (run.folder / "outputs/model" / name).unlink()

    with pytest.raises(Invalid) as refused:
        actions.register(run)

    assert (refused.value.code, refused.value.name) == ("no_model", name)


def test_a_model_in_parts_needs_every_part():
    run = a_finished_run()
    folder = run.folder / "outputs/model"
    (folder / "model.safetensors").rename(folder / "model-00001-of-00002.safetensors")
    places = {"a": "model-00001-of-00002.safetensors", "b": "model-00002-of-00002.safetensors"}
    (folder / "model.safetensors.index.json").write_text(json.dumps({"weight_map": places}))

    with pytest.raises(Invalid) as refused:
        actions.register(run)
    (folder / "model-00002-of-00002.safetensors").write_bytes(weights())
    model = actions.register(run)

    assert refused.value.name == "model-00002-of-00002.safetensors"
    assert model.facts["parameters_total"] == 8  # as the report says; both parts have 16


@pytest.mark.parametrize(
    ("name", "content"),
    [
        ("model.safetensors", weights()[:-1]),
        ("model.safetensors", b""),
        ("model.safetensors", b"\x80\x04pickled"),
        ("config.json", b"[]"),
        ("config.json", b"{"),
        ("model.safetensors.index.json", b'{"weight_map": 1}'),
    ],
)
def test_a_file_that_is_cut_off_or_no_such_file_is_refused(name, content):
    run = a_finished_run()
    (run.folder / "outputs/model" / name).write_bytes(content)

    with pytest.raises(Invalid) as refused:
        actions.register(run)

    assert (refused.value.code, refused.value.name) == ("broken_file", name)


def test_a_link_is_refused_wherever_it_stands(tmp_path):
    (tmp_path / "secret.json").write_text("{}")
    as_file, as_folder, as_whole = (a_finished_run() for _ in range(3))
    (as_file.folder / "outputs/model/extra.json").symlink_to(tmp_path / "secret.json")
    (as_folder.folder / "outputs/model/more").symlink_to(tmp_path)
    others = as_file.folder / "outputs/model"
    others.joinpath("extra.json").rename(tmp_path / "moved")
    (as_whole.folder / "outputs/model").rename(tmp_path / "own")
    (as_whole.folder / "outputs/model").symlink_to(others)
    (tmp_path / "moved").rename(others / "extra.json")

    codes = []
    for run in (as_file, as_folder, as_whole):
        with pytest.raises(Invalid) as refused:
            actions.register(run)
        codes.append(refused.value.code)

    assert codes == ["no_plain_file"] * 3
    assert not File.objects.exists()


def test_a_folder_full_of_files_is_no_model(monkeypatch):
    monkeypatch.setattr(outputs, "FILES_MAX", 2)
    run = a_finished_run()

    with pytest.raises(Invalid) as refused:
        actions.register(run)

    assert refused.value.code == "too_many_files"


# --- the loop ----------------------------------------------------------------------------
def test_the_loop_registers_what_waits_and_leaves_the_rest_alone():
    done, failed = a_finished_run(), a_finished_run(state=RunState.FAILED)

    collect.tick()
    collect.tick()

    assert list(Model.objects.values_list("run", flat=True)) == [done.pk]
    assert failed.state == RunState.FAILED


def test_what_cannot_be_taken_in_is_told_once_with_its_reason_and_does_not_stop_others():
    bad, good = a_finished_run(), a_finished_run()
    (bad.folder / "outputs/model/weights.bin").write_bytes(b"x")

    collect.tick()
    collect.tick()

    rejection = Rejection.objects.get()
    assert (rejection.run, rejection.code, rejection.name) == (bad, "pickle", "weights.bin")
    assert Model.objects.get().run == good
    entry = Entry.objects.get(verb="registry.reject")
    assert (entry.thread, entry.details["code"]) == (bad.case.code, "pickle")


def test_a_full_store_is_tried_again_later():
    run = a_finished_run()

    with files_of_at_most(10):
        collect.tick()
    waiting = (Model.objects.count(), Rejection.objects.count())
    collect.tick()

    assert waiting == (0, 0)
    assert Model.objects.get().run == run


def test_a_surprise_with_one_run_is_logged_and_the_others_go_on(caplog):
    strange, good = a_finished_run(knobs=["no", "mapping"]), a_finished_run()

    collect.tick()

    assert Model.objects.get().run == good
    assert not Rejection.objects.exists()
    assert f"{strange} could not be registered; the pass goes on." in caplog.text
