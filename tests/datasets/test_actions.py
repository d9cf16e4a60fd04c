import hashlib
import io
import json

import pytest

from fabriek.cases.states import CaseState
from fabriek.datasets import actions, rules
from fabriek.datasets.models import Dataset
from fabriek.kernel.errors import Invalid, NotAllowed, StorageFull, WrongState
from fabriek.kernel.models import Entry
from fabriek.people.models import Person
from fabriek.store.models import Revision
from tests.datasets.conftest import FACTS, ROWS, contents, made, push
from tests.factories import a_case, a_partner, a_person, an_organisation
from tests.store.test_files import everything_below, files_of_at_most

pytestmark = pytest.mark.django_db

BROKEN = ROWS + b'{"prompt": "half"\n'


def sha256(content):
    return hashlib.sha256(content).hexdigest()


def verbs():
    return list(Entry.objects.order_by("pk").values_list("verb", flat=True))


def not_open(case):
    type(case).objects.filter(pk=case.pk).update(state=CaseState.CLOSED)


# --- making and describing ---------------------------------------------------------------
def test_a_dataset_is_made_with_its_place_in_the_store(lead):
    case = a_case(lead=lead)

    dataset = made(by=lead, case=case, title="  Berichten  van de balie ")

    dataset.refresh_from_db()
    assert dataset.title == "Berichten van de balie"
    assert dataset.code == f"D{dataset.created_at:%y}-{dataset.pk:04d}"
    repository = dataset.repository
    assert (repository.code, repository.title) == (dataset.code, dataset.title)
    assert (repository.kind, repository.is_open) == ("dataset", False)
    assert (repository.case, repository.organisation) == (case, case.organisation)
    assert verbs() == ["store.create_repository", "datasets.create"]


@pytest.mark.parametrize("role", ["lead", "member"])
def test_people_of_an_accepted_partner_may_make_one(role):
    case, person = a_case(), a_person()
    a_partner(case, organisation=an_organisation(**{role: person}))

    assert made(by=person, case=case).created_by == person


@pytest.mark.parametrize("state", ["invited", "declined", "left"])
def test_people_of_another_organisation_may_not(state):
    case, person = a_case(), a_person()
    a_partner(case, lead=person, state=state)

    with pytest.raises(NotAllowed, match="people of the organisations in this case only"):
        made(by=person, case=case)

    assert not Dataset.objects.exists()
    assert verbs() == []


@pytest.mark.parametrize("duty", ["staff", "assessor", "funder"])
def test_the_factory_itself_may_not(duty):
    with pytest.raises(NotAllowed):
        made(by=a_person(duty=duty), case=a_case())

    assert not Dataset.objects.exists()


@pytest.mark.parametrize("state", [CaseState.DRAFT, CaseState.CLOSED, CaseState.WITHDRAWN])
def test_a_dataset_is_made_in_an_open_case_only(lead, state):
    with pytest.raises(WrongState, match="while the case is open"):
        made(by=lead, case=a_case(lead=lead, state=state))

    assert not Dataset.objects.exists()


@pytest.mark.parametrize(
    ("name", "value"),
    [("title", ""), ("title", "x" * 201), ("licence", "none"), ("description", "x" * 5001)],
)
def test_a_wrong_fact_is_refused_by_name(lead, name, value):
    with pytest.raises(Invalid) as refusal:
        made(by=lead, **{name: value})

    assert list(refusal.value.fields) == [name]
    assert not Dataset.objects.exists()


def test_an_edit_changes_the_facts_and_tells_which(dataset, lead):
    edited = FACTS | {"title": "Anders", "has_personal_data": True}

    actions.edit(dataset, by=lead, **edited)

    dataset.refresh_from_db()
    assert (dataset.title, dataset.has_personal_data) == ("Anders", True)
    assert dataset.repository.title == "Anders"
    entry = Entry.objects.get(verb="datasets.edit")
    assert entry.details["changed"] == ["title", "has_personal_data"]


def test_an_edit_that_changes_nothing_is_not_told(dataset, lead):
    actions.edit(dataset, by=lead, **FACTS)

    assert "datasets.edit" not in verbs()


def test_an_edit_by_a_stranger_or_of_a_closed_case_is_refused(dataset, lead):
    with pytest.raises(NotAllowed):
        actions.edit(dataset, by=a_person(duty="staff"), **FACTS | {"title": "Mine"})
    not_open(dataset.case)
    with pytest.raises(WrongState):
        actions.edit(dataset, by=lead, **FACTS | {"title": "Late"})

    dataset.refresh_from_db()
    assert dataset.title == "Berichten"


def test_only_a_lead_of_the_owner_changes_the_licence(dataset, lead, browser):
    member, leads_a_partner = a_person(), a_person()
    partner = an_organisation(lead=leads_a_partner, member=member)
    a_partner(dataset.case, organisation=partner)
    free = FACTS | {"licence": "CC0-1.0"}

    for person in (member, leads_a_partner):
        with pytest.raises(NotAllowed, match="lead of the organisation that owns"):
            actions.edit(dataset, by=person, **free)
    typed = free | {"title": "Anders", "has_personal_data": "no"}
    saved = browser(member).post(f"/data/{dataset.code}/edit/", typed)

    assert saved.status_code == 302
    dataset.refresh_from_db()
    assert (dataset.title, dataset.licence) == ("Anders", FACTS["licence"])

    actions.edit(dataset, by=lead, **free)
    assert dataset.licence == "CC0-1.0"


# --- pushing -----------------------------------------------------------------------------
def test_a_push_saves_all_files_as_one_revision(dataset, lead):
    saved = push(dataset, {"train.jsonl": ROWS, "lees mij.txt": b"hoi"}, message=" first  one ")

    assert (saved.number, saved.message, saved.author) == (1, "first one", lead)
    assert contents(dataset) == {"lees mij.txt": 3, "train.jsonl": len(ROWS)}
    assert verbs()[-1] == "store.commit"


def test_the_same_push_again_changes_nothing(dataset):
    first = push(dataset, {"train.jsonl": ROWS})

    assert push(dataset, {"train.jsonl": ROWS}) == first
    assert Revision.objects.count() == 1


@pytest.mark.parametrize(
    "leave",
    [
        lambda who: who.memberships.all().delete(),
        lambda _who: Person.objects.update(is_active=False),
    ],
)
def test_who_leaves_while_what_they_sent_is_read_through_saves_nothing(
    dataset, lead, monkeypatch, leave
):
    blob = actions.add_file(dataset, "a.txt", io.BytesIO(b"1"), by=lead)
    monkeypatch.setattr(actions.rows_check, "require_new_sound", lambda *_: leave(lead))

    with pytest.raises(NotAllowed):
        actions.commit(dataset, {"a.txt": blob}, message="late", by=lead)

    assert not Revision.objects.exists()


def test_a_partner_may_push_and_a_stranger_may_not(dataset):
    partner, stranger = a_person(), a_person(duty="staff")
    a_partner(dataset.case, organisation=an_organisation(member=partner))

    push(dataset, {"a.txt": b"1"}, by=partner)
    with pytest.raises(NotAllowed):
        push(dataset, {"b.txt": b"2"}, by=stranger)

    assert contents(dataset) == {"a.txt": 1}


def test_a_push_to_a_closed_case_is_refused_and_keeps_nothing(dataset, settings):
    not_open(dataset.case)

    with pytest.raises(WrongState):
        push(dataset, {"a.txt": b"1"})

    assert everything_below(settings.STORE_HOME) == []


def test_a_case_that_closes_between_sending_and_saving_refuses_the_saving(dataset, lead):
    blob = actions.add_file(dataset, "a.txt", io.BytesIO(b"1"), by=lead)
    not_open(dataset.case)

    with pytest.raises(WrongState):
        actions.commit(dataset, {"a.txt": blob}, message="", by=lead)

    assert not Revision.objects.exists()


@pytest.mark.parametrize(
    ("files", "said"),
    [
        ({"../a.txt": b"1"}, "“../a.txt” steps out of the folder"),
        ({"x" * 300: b"1"}, "is too long: each part may be 255 bytes"),
        ({"a.txt": b"1", "leeg.txt": b""}, "“leeg.txt” is empty (0 bytes)"),
        ({"a.txt": b"1", "A.txt": b"2"}, "differ in capitals only"),
        ({}, "Choose one or more files, then send them."),
    ],
)
def test_a_push_that_breaks_a_rule_says_what_to_do_and_saves_nothing(dataset, files, said):
    with pytest.raises(Invalid) as refusal:
        push(dataset, files)

    assert said in str(refusal.value)
    assert not Revision.objects.exists()


def test_a_wrong_name_is_told_before_any_byte_is_read(dataset, lead):
    def must_not_be_read():
        raise AssertionError
        yield b""

    with pytest.raises(Invalid, match="steps out"):
        actions.push_files(
            dataset, {"a": must_not_be_read(), "../b": must_not_be_read()}, message="", by=lead
        )


@pytest.mark.parametrize("name", ["train.jsonl", "map/TRAIN.JSONL"])
def test_a_broken_row_is_named_by_its_line_and_nothing_is_saved(dataset, name):
    with pytest.raises(Invalid) as refusal:
        push(dataset, {name: BROKEN, "good.txt": b"1"})

    assert refusal.value.code == "broken_row"
    assert str(refusal.value).startswith(f"“{name}” was not saved. Line 3 ")
    assert not Revision.objects.exists()


def test_rows_of_text_and_of_messages_are_sound_too(dataset):
    turns = [{"role": "user", "content": "a"}, {"role": "assistant", "content": "b"}]
    chat = json.dumps({"messages": turns}).encode()

    push(dataset, {"text.jsonl": b'{"text": "Er was eens"}\n', "chat.jsonl": chat})

    assert contents(dataset).keys() == {"chat.jsonl", "text.jsonl"}


@pytest.mark.parametrize(
    ("row", "broken"),
    [
        (b'{"prompt": "a", "chosen": "b", "rejected": "c"}', b'{"prompt": "a", "chosen": "b"}'),
        (b'{"vraag": "a", "keuzes": ["b", "c"], "goed": 1}', b"[1]"),
    ],
    ids=["pairs of answers", "the questions of a task"],
)
def test_pairs_of_answers_and_other_rows_are_sound_too(dataset, row, broken):
    push(dataset, {"good.jsonl": row + b"\n" + row})

    with pytest.raises(Invalid) as refusal:
        push(dataset, {"bad.jsonl": row + b"\n" + broken})

    assert str(refusal.value).startswith("“bad.jsonl” was not saved. Line 2 ")
    assert contents(dataset).keys() == {"good.jsonl"}


def test_other_files_are_kept_as_they_are(dataset):
    push(dataset, {"foto.bin": b"\x00\xff", "notes.json": b"{half"})

    assert contents(dataset) == {"foto.bin": 2, "notes.json": 5}


def test_a_guessed_sha256_is_not_answered_with_what_stands_in_that_file(lead):
    theirs = made()
    actions.add_file(theirs, "secret.jsonl", io.BytesIO(BROKEN), by=theirs.created_by)
    organisation = theirs.case.organisation
    organisation.memberships.create(person=lead, role="lead")
    ours = made(by=lead, case=a_case(lead=lead, organisation=organisation))

    with pytest.raises(Invalid) as refusal:
        actions.commit(ours, {"x.jsonl": sha256(BROKEN)}, message="", by=lead)

    assert refusal.value.code == "never_sent"


def test_a_full_disk_while_pushing_is_told_and_nothing_is_saved(dataset, settings):
    with files_of_at_most(2**20), pytest.raises(StorageFull, match="disk .* is full"):
        push(dataset, {"big.bin": b"x" * 3 * 2**20})

    assert not Revision.objects.exists()
    assert everything_below(settings.STORE_HOME) == []


def test_missing_is_answered_to_the_consortium_only(dataset, lead):
    push(dataset, {"a.txt": b"1"})

    assert actions.missing(dataset, [sha256(b"1"), sha256(b"2")], by=lead) == [sha256(b"2")]
    with pytest.raises(NotAllowed):
        actions.missing(dataset, [sha256(b"1")], by=a_person())


# --- taking out --------------------------------------------------------------------------
def test_a_download_gives_the_bytes_and_is_written_down(dataset, lead):
    saved = push(dataset, {"map/train.jsonl": ROWS})

    taken = actions.download(dataset, saved.files.get(), by=lead)

    with taken.content as content:
        assert content.read() == ROWS
    assert (taken.name, taken.size_bytes) == ("train.jsonl", len(ROWS))
    entry = Entry.objects.get(verb="datasets.download")
    assert (entry.by, entry.thread) == (lead, dataset.case.code)
    assert entry.details == {
        "code": dataset.code,
        "path": "map/train.jsonl",
        "revision": 1,
        "sha256": sha256(ROWS),
    }


def test_a_download_by_staff_is_refused(dataset):
    saved = push(dataset, {"a.txt": b"1"})

    with pytest.raises(NotAllowed):
        actions.download(dataset, saved.files.get(), by=a_person(duty="staff"))

    assert "datasets.download" not in verbs()


def test_next_steps_are_for_people_of_an_open_case(dataset, lead):
    assert [step.name for step in rules.next_steps(lead, dataset)] == ["push", "edit"]
    assert rules.next_steps(a_person(), dataset) == []

    dataset.case.state = CaseState.CLOSED
    assert rules.next_steps(lead, dataset) == []
