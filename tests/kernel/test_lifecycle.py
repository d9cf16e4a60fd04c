"""States move through the table, one at a time, and leave a trace."""

import pytest
from django.utils import translation

from fabriek.cases import actions
from fabriek.cases.models import Case
from fabriek.cases.states import CASE, CaseState
from fabriek.kernel import journal
from fabriek.kernel.errors import WrongState
from fabriek.kernel.lifecycle import Lifecycle
from fabriek.kernel.models import Entry
from tests.factories import a_case, a_person

pytestmark = pytest.mark.django_db


def a_draft(**fields):
    return a_case(state=CaseState.DRAFT, proposed_at=None, **fields)


def test_a_step_moves_the_thing_and_what_moves_with_it():
    case = a_draft()
    by = a_person()

    CASE.take("propose", case, by=by, proposed_at=case.created_at)

    kept = Case.objects.get(pk=case.pk)
    assert (kept.state, kept.proposed_at) == (CaseState.OPEN, case.created_at)
    assert (case.state, case.proposed_at) == (CaseState.OPEN, case.created_at)


def test_a_step_is_written_in_the_journal_with_its_details():
    case = a_draft()
    by = a_person()

    CASE.take("propose", case, by=by, details={"why": "ready"}, proposed_at=case.created_at)

    entry = Entry.objects.get()
    assert (entry.verb, entry.by, entry.subject_id) == ("cases.propose", by, case.pk)
    assert (entry.subject_kind, entry.thread) == ("cases.case", case.code)
    assert entry.details == {"came_from": "draft", "went_to": "open", "why": "ready"}


@pytest.mark.parametrize(
    ("language", "sentence"),
    [
        (
            "en",
            "This cannot be done now: {code} stands at “withdrawn”. "
            "Open its page again to see what can be done next.",
        ),
        (
            "nl",
            "Dit kan nu niet: {code} staat op “ingetrokken”. "
            "Open de pagina opnieuw om te zien wat u wel kunt doen.",
        ),
    ],
)
def test_a_step_that_is_not_open_is_refused_in_words(language, sentence):
    case = a_case(state=CaseState.WITHDRAWN)

    with translation.override(language), pytest.raises(WrongState) as refusal:
        CASE.take("propose", case, by=None)

    said = str(refusal.value)
    assert said == sentence.format(code=str(case))
    assert not Entry.objects.exists()


def test_of_two_at_once_one_is_refused_and_changes_nothing():
    case = a_draft()
    mine, theirs = Case.objects.get(pk=case.pk), Case.objects.get(pk=case.pk)
    CASE.take("propose", mine, by=None, proposed_at=case.created_at)

    with pytest.raises(WrongState, match="Somebody else changed"):
        CASE.take("withdraw", theirs, by=None)

    assert Case.objects.get(pk=case.pk).state == CaseState.OPEN
    assert theirs.state == CaseState.DRAFT
    assert [entry.verb for entry in Entry.objects.all()] == ["cases.propose"]


def test_a_journal_that_fails_takes_the_move_back():
    case = a_draft()

    with pytest.raises(TypeError):
        CASE.take(
            "propose", case, by=None, details={"why": object()}, proposed_at=case.created_at
        )

    assert Case.objects.get(pk=case.pk).state == CaseState.DRAFT
    assert case.state == CaseState.DRAFT


def test_the_steps_from_a_state_can_be_listed():
    table = Lifecycle(("open", {"a", "b"}, "c"), ("close", {"c"}, "d"))

    assert table.open_from("a") == ["open"]
    assert table.open_from("c") == ["close"]
    assert table.open_from("d") == []


def test_a_verb_without_words_shows_itself():
    entry = journal.record("kernel.unheard_of", a_case(), by=None)

    assert entry.sentence == "kernel.unheard_of"


def test_a_verb_is_said_in_the_reader_s_language():
    case = a_draft()
    actions.propose(case, by=case.created_by)
    entry = Entry.objects.get()

    with translation.override("nl"):
        dutch = entry.sentence
    assert entry.sentence == "proposed the case"
    assert dutch != entry.sentence
