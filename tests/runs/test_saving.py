"""Answers become a revision of a dataset by themselves: once, bound, and never half."""

import json

import pytest
from django.db import IntegrityError

from fabriek.agreements.models import Agreement, Inherited
from fabriek.agreements.policy import Moment, Wish, would
from fabriek.agreements.states import AgreementState
from fabriek.cases.states import CaseState, PartnerState
from fabriek.datasets.models import Dataset
from fabriek.kernel.errors import StorageFull
from fabriek.runs import saved_in, saving
from fabriek.runs.destinations import Destination
from fabriek.runs.models import Run
from fabriek.runs.saved_in import SavedIn
from fabriek.runs.states import RunState
from fabriek.store.models import Repository, Revision
from fabriek.store.queries import the_store
from tests.agreements.policy_world import an_agreement, passed_on
from tests.factories import (
    a_case,
    a_dataset,
    a_partner,
    a_person,
    a_repository,
    a_run,
)
from tests.runs.test_made import MODEL
from tests.runs.world import a_text, pushed

pytestmark = pytest.mark.django_db

NAMES = ("part-00000.jsonl", "part-00001.jsonl")


@pytest.fixture(autouse=True)
def nothing_rests():
    saving.rests.clear()


def a_line(number: int) -> str:
    said = [
        {"role": "user", "content": f"Wie {number}?"},
        {"role": "assistant", "content": "Ik"},
    ]
    return json.dumps({"messages": said, "file": "rows.jsonl", "line": number}) + "\n"


def answered(world, *, to: SavedIn | None, revision=None, state=RunState.SUCCEEDED) -> Run:
    run = a_run(allocation=world.allocation, recipe="batch_predict", state=state)
    used = revision or world.revision
    agreed = Agreement.objects.filter(repository=used.repository, case=world.case).first()
    run.inputs.create(name="dataset", revision=used, agreement=agreed)
    place = run.folder / "outputs" / "answers"
    place.mkdir(parents=True)
    (run.folder / "run.json").write_text("{}")
    for number, name in enumerate(NAMES):
        (place / name).write_text(a_line(2 * number + 1) + a_line(2 * number + 2))
        (place / name).chmod(0o644)
    saved_in.write(run, to)
    return run


def destination(run: Run) -> Destination:
    return Destination.objects.select_related("dataset__repository").get(run=run)


def files_of(dataset: Dataset) -> dict[str, bytes]:
    newest = Revision.objects.filter(repository=dataset.repository).first()
    found = {}
    for file in newest.files.select_related("blob"):
        with the_store().open(file.blob) as content:
            found[file.path] = content.read()
    return found


@pytest.fixture
def lent(world):
    """Give data of others that this case may work on in the factory, and not take away."""
    owner = a_person()
    revision = a_text(a_case(lead=owner), owner)
    agreement = an_agreement(
        revision.repository, world.case, place="shared", purposes=["evaluation"]
    )
    revision.agreement = agreement
    return revision


# --- what comes of it ----------------------------------------------------------------------
def test_answers_become_a_new_dataset_of_the_case_when_the_run_ends(world):
    run = answered(world, to=SavedIn(title="Sorted messages"))

    saving.tick()

    dataset = Dataset.objects.get()
    assert (dataset.title, dataset.case, dataset.licence) == (
        "Sorted messages",
        world.case,
        "consortium-only",
    )
    assert files_of(dataset) == {
        f"{run.code}/{name}": (run.folder / "outputs/answers" / name).read_bytes()
        for name in NAMES
    }
    newest = Revision.objects.get(repository=dataset.repository)
    assert (newest.message, newest.author) == (f"Answers of {run.code}", world.person)
    found = destination(run)
    assert (found.dataset, found.revision, found.code) == (dataset, 1, "")
    assert not Inherited.objects.exists()


def test_a_dataset_without_a_name_is_called_by_the_run(world):
    run = answered(world, to=SavedIn())

    saving.tick()

    assert Dataset.objects.get().title == f"Answers of {run.code}"


def test_answers_are_added_to_a_dataset_beside_what_was_there(world):
    dataset = a_dataset(case=world.case)
    pushed(dataset.repository, {"old.jsonl": a_line(9)}, world.person)
    run = answered(world, to=SavedIn(dataset=dataset))

    saving.tick()

    assert sorted(files_of(dataset)) == [
        f"{run.code}/{NAMES[0]}",
        f"{run.code}/{NAMES[1]}",
        "old.jsonl",
    ]
    assert destination(run).revision == 2


@pytest.mark.parametrize("state", [RunState.RUNNING, RunState.FAILED, RunState.CANCELLED])
def test_of_a_run_that_did_not_end_well_nothing_is_saved(world, state):
    run = answered(world, to=SavedIn(), state=state)

    saving.tick()

    assert not Dataset.objects.exists()
    assert destination(run).settled_at is None


def test_what_tells_of_people_makes_a_dataset_that_says_so(world):
    source = a_dataset(case=world.case, has_personal_data=True)
    revision = pushed(source.repository, {"rows.jsonl": a_line(1)}, world.person)
    answered(world, to=SavedIn(), revision=revision)

    saving.tick()

    assert Dataset.objects.order_by("pk").last().has_personal_data


# --- once ----------------------------------------------------------------------------------
def test_twice_and_after_a_change_of_others_it_is_saved_once(world):
    run = answered(world, to=SavedIn())
    saving.tick()
    before = destination(run)
    pushed(before.dataset.repository, {"more.jsonl": a_line(5)}, world.person)

    saving.save(before)
    saving.tick()

    numbers = Revision.objects.filter(repository=before.dataset.repository)
    assert sorted(numbers.values_list("number", flat=True)) == [1, 2]


@pytest.mark.parametrize(
    "place",
    [
        "fabriek.runs.saving.datasets.create",
        "fabriek.runs.saving._taken_in",
        "fabriek.runs.saving.taking_in.ready",
        "fabriek.store.actions.commit",
        "fabriek.agreements.descent.pass_terms_on",
        "fabriek.kernel.journal.record",
    ],
)
@pytest.mark.parametrize("is_after", [False, True])
def test_killed_anywhere_it_goes_on_and_saves_once(world, monkeypatch, place, is_after):
    class Killed(BaseException):
        pass

    run = answered(world, to=SavedIn())
    target, _dot, name = place.rpartition(".")
    with monkeypatch.context() as patch:
        plain = _found(target, name)

        def killed(*given, **more):
            if is_after:
                plain(*given, **more)
            raise Killed

        patch.setattr(place, killed)
        with pytest.raises(Killed):
            saving.tick()

    saving.tick()

    dataset = Dataset.objects.get()
    assert Revision.objects.filter(repository=dataset.repository).count() == 1
    assert len(files_of(dataset)) == 2
    assert destination(run).revision == 1


def _found(target: str, name: str):
    module, _dot, last = target.rpartition(".")
    try:
        return getattr(__import__(target, fromlist=[name]), name)
    except ModuleNotFoundError:
        return getattr(getattr(__import__(module, fromlist=[last]), last), name)


def test_a_row_that_is_saved_names_its_dataset(world):
    run = answered(world, to=SavedIn())

    with pytest.raises(IntegrityError):
        Destination.objects.filter(run=run).update(revision=1)


# --- trouble -------------------------------------------------------------------------------
def test_a_full_store_loses_nothing_and_is_tried_again(world, monkeypatch, browser, caplog):
    run = answered(world, to=SavedIn())

    def full(*_given, **_more):
        raise StorageFull("no room")

    with monkeypatch.context() as patch:
        patch.setattr("fabriek.store.actions.adopt", full)
        saving.tick()
        page = browser(world.person).get(run.get_absolute_url()).content.decode()
    assert "The store has no room for the answers at the moment." in page
    assert destination(run).settled_at is None

    saving.tick()

    assert len(files_of(Dataset.objects.get())) == 2
    assert destination(run).code == ""
    assert "has no room" not in browser(world.person).get(run.get_absolute_url()).text


def test_a_folder_that_is_away_for_a_moment_is_waited_for(world, caplog):
    run = answered(world, to=SavedIn())
    manifest = run.folder / "run.json"
    manifest.rename(manifest.with_name("away"))
    for _ in range(3):
        saving.tick()
    assert (destination(run).code, saving.rests[run.key].tries) == ("not_reached", 2)
    assert not Dataset.objects.exists()
    manifest.with_name("away").rename(manifest)
    saving.rests.clear()

    saving.tick()

    assert destination(run).revision == 1


def test_one_that_cannot_be_saved_does_not_keep_the_others_waiting(world, monkeypatch, caplog):
    monkeypatch.setattr(saving, "LOOKED_AT", 1)
    first, second = (answered(world, to=SavedIn()) for _ in range(2))
    (first.folder / "run.json").unlink()

    for _ in range(3):
        saving.tick()

    assert destination(second).revision == 1


def test_a_case_that_is_closed_keeps_answers_waiting(world, caplog):
    run = answered(world, to=SavedIn())
    type(world.case).objects.filter(pk=world.case.pk).update(state=CaseState.CLOSED)
    saving.tick()
    assert destination(run).code == "case_closed"
    type(world.case).objects.filter(pk=world.case.pk).update(state=CaseState.OPEN)
    saving.rests.clear()

    saving.tick()

    assert destination(run).revision == 1


def refused_for(run: Run) -> str:
    found = destination(run)
    assert (found.settled_at is not None, found.revision) == (True, None)
    return found.code


def test_of_no_answers_nothing_is_made(world):
    run = answered(world, to=SavedIn())
    for name in NAMES:
        (run.folder / "outputs/answers" / name).unlink()

    saving.tick()

    assert refused_for(run) == "no_answers"
    assert not Dataset.objects.exists()


def test_a_dataset_that_was_opened_meanwhile_gets_nothing(world):
    dataset = a_dataset(case=world.case)
    run = answered(world, to=SavedIn(dataset=dataset))
    Repository.objects.filter(pk=dataset.repository_id).update(is_open=True)

    saving.tick()

    assert refused_for(run) == "open_to_all"
    assert not Revision.objects.filter(repository=dataset.repository).exists()


def test_who_left_the_case_saves_nothing_and_another_chooses_anew(world, program):
    partner = a_person()
    joined = a_partner(world.case, lead=partner)
    run = answered(world, to=SavedIn())
    Destination.objects.filter(run=run).update(asked_by=partner)
    joined.state = PartnerState.LEFT
    joined.save()
    saving.tick()
    assert refused_for(run) == "left_case"

    answer = program(world.person).post(
        f"/api/runs/{run.code}/answers",
        json.dumps({"answers_to": "new", "answers_title": "Again"}),
        content_type="application/json",
    )
    saving.tick()

    assert answer.status_code == 200, answer.content
    assert Dataset.objects.get().title == "Again"
    assert destination(run).revision == 1


def test_a_link_and_a_hollow_file_are_never_taken_in(world, tmp_path):
    secret = tmp_path / "secret"
    secret.write_text(a_line(1))
    runs = [answered(world, to=SavedIn()) for _ in range(2)]
    link = runs[0].folder / "outputs/answers" / NAMES[0]
    link.unlink()
    link.symlink_to(secret)
    with (runs[1].folder / "outputs/answers" / NAMES[0]).open("r+b") as file:
        file.truncate(2**24)

    saving.tick()

    assert [refused_for(run) for run in runs] == ["bad_files", "bad_files"]
    assert (
        not Revision.objects.filter(repository__kind="dataset", number=1)
        .exclude(repository=world.revision.repository)
        .exists()
    )


# --- what was agreed on --------------------------------------------------------------------
def test_answers_of_lent_data_are_used_as_that_data_is(world, lent, browser, program):
    run = answered(world, to=SavedIn(), revision=lent)

    saving.tick()

    dataset = destination(run).dataset
    (bound,) = Inherited.objects.filter(repository=dataset.repository)
    assert bound.agreement == lent.agreement
    reading = would(
        Wish(moment=Moment.READ, repository=dataset.repository, person=world.person)
    )
    assert (reading.allowed, reading.code) == (False, "stays_here")
    page = browser(world.person).get(dataset.get_absolute_url()).content.decode()
    assert NAMES[0] not in page
    api = program(world.person).get(f"/api/datasets/{dataset.code}/files")
    assert api.status_code == 403
    hub = program(world.person).get(
        f"/datasets/{dataset.repository.repo_id}/resolve/main/{run.code}/{NAMES[0]}"
    )
    assert hub.status_code == 403


def test_answers_of_a_model_that_learned_from_lent_data_are_bound_too(world, lent):
    model = a_repository(case=world.case, kind="model", code="M26-8101", title="Desk")
    passed_on(model, lent.agreement)
    run = answered(world, to=SavedIn())
    run.inputs.create(name="model", revision=pushed(model, MODEL, world.person))

    saving.tick()

    (bound,) = Inherited.objects.filter(repository=destination(run).dataset.repository)
    assert bound.agreement == lent.agreement


def test_a_revision_of_bound_answers_is_never_there_unbound(world, lent, monkeypatch):
    class Killed(BaseException):
        pass

    answered(world, to=SavedIn(), revision=lent)

    def killed(*_given, **_more):
        raise Killed

    monkeypatch.setattr("fabriek.agreements.inheritance.pass_on", killed)
    with pytest.raises(Killed):
        saving.tick()

    assert not Revision.objects.filter(repository=Dataset.objects.get().repository).exists()


def test_data_that_may_not_be_used_any_more_makes_no_dataset(world, lent):
    run = answered(world, to=SavedIn(), revision=lent)
    lent.agreement.state = AgreementState.ENDED
    lent.agreement.save()

    saving.tick()

    assert refused_for(run) == "data_ended"
    assert not Dataset.objects.exists()
