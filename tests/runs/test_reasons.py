"""Every word that an engine can say has a sentence, in both languages, with what to do."""

import ast
from pathlib import Path

import pytest
from django.utils import translation

import fabriek
from fabriek.agreements.reasons import DENIED
from fabriek.engines.base import Reason
from fabriek.engines.slurm_words import REASONS, REFUSALS
from fabriek.runs import reasons, rules, waits
from fabriek.runs.models import Run
from fabriek.runs.states import PAUSED
from fabriek.runs.use import ENDING
from fabriek.runs.words import told
from fabriek_recipes.row_problems import problem, refuse

SOURCE = Path(fabriek.__file__).parent

# All that job_reason_string() of Slurm 22.05.8 can give: asked of libslurmfull.so, number by
# number, on 2026-11-26.
SLURM_22_05 = (Path(__file__).parent / "slurm_reasons.txt").read_text().split()


def ending_words():
    """Collect from the code every word with which a run can end."""
    words = {word.value for word in Reason} | {str(word) for word in REASONS.values()} - {""}
    words |= {code for _, code in REFUSALS} | {"rejected"}  # JobRejected without a code
    words |= {PAUSED, rules.PAUSED_TOO_EARLY}
    words |= {f"{ENDING}{code}" for code in DENIED}  # agreements are looked at once more
    return words | said_of("JobRejected", "code") | said_of("Sighting", "reason", "runs")


def said_of(kind, name, *rooms):
    """Collect each word that the code gives as `name` to one of `kind`."""
    return {
        word.value.value
        for room in rooms or ("engines", "runs")
        for path in (SOURCE / room).glob("*.py")
        for call in ast.walk(ast.parse(path.read_text()))
        if isinstance(call, ast.Call) and getattr(call.func, "id", "") == kind
        for word in call.keywords
        if word.arg == name and isinstance(word.value, ast.Constant)
    }


def test_each_word_for_what_holds_a_run_up_has_a_sentence():
    held_up = said_of("JobHeldUp", "code")

    assert {"account_hook", "account_missing", "no_access_lists"} < held_up
    assert [word for word in held_up if "cluster says" in waits.sentence(None, word)] == []
    assert held_up.isdisjoint(ending_words())


def test_the_words_for_an_ending_are_those_that_the_code_knows():
    assert ending_words() == reasons.ENDINGS.keys()


def in_words(language):
    with translation.override(language):
        return {word: reasons.ending(word) for word in reasons.ENDINGS}


def test_every_ending_has_a_sentence_in_each_language():
    english, dutch = in_words("en"), in_words("nl")

    assert [word for word in english if not english[word].endswith(".")] == []
    assert [word for word in english if english[word] == dutch[word]] == []


def test_slurm_knows_no_reason_for_which_we_have_no_sentence():
    assert [word for word in SLURM_22_05 if "cluster says" in waits.sentence(1, word)] == []


@pytest.mark.parametrize(
    ("wait", "words"),
    [
        (waits.TURN, "None Priority SchedDefer Cleaning WaitingForScheduling"),
        (waits.ROOM, "Resources Licenses BurstBufferResources"),
        (waits.LATER, "BeginTime Reservation"),
        (waits.OTHER_RUN, "Dependency"),
        (waits.NEVER, "DependencyNeverSatisfied"),
        (
            waits.LIMIT,
            "AssocGrpGRES QOSGrpGRES QOSMaxGRESPerUser AssocMaxSubmitJobLimit "
            "QOSMaxSubmitJobPerUserLimit AssocGrpGRESRunMinutes QOSGrpCPURunMinutesLimit "
            "MaxJobsPerAccount AssocMaxJobsLimit",
        ),
        (
            waits.BUDGET,
            "AssocGrpGRESMinutes QOSGrpGRESMinutes QOSGrpCPUMinutesLimit "
            "AssocGrpBillingMinutes QOSGrpWallLimit",
        ),
        (
            waits.OUT_OF_SERVICE,
            "PartitionDown PartitionInactive NodeDown ReqNodeNotAvail FrontEndDown "
            "Nodes_required_for_job_are_DOWN",
        ),
        (
            waits.TOO_LONG,
            "PartitionTimeLimit QOSMaxWallDurationPerJobLimit AssocMaxWallDurationPerJobLimit",
        ),
        (
            waits.MISFIT,
            "BadConstraints PartitionNodeLimit PartitionConfig QOSMaxGRESPerJob "
            "AssocMaxCpuPerNode QOSMaxGRESMinutesPerJob QOSMinGRES",
        ),
        (
            waits.HELD,
            "JobHeldUser JobHeldAdmin ReservationDeleted job_requeued_in_held_state",
        ),
        (waits.BROKEN, "JobLaunchFailure JobHoldMaxRequeue launch_failed_requeued_held"),
        (waits.NOT_LET_IN, "InvalidAccount InvalidQOS AccountNotAllowed QOSNotAllowed"),
    ],
)
def test_each_reason_of_slurm_is_said_as_what_it_means(wait, words):
    said = {word: waits.sentence(None, word) for word in words.split()}

    assert said == dict.fromkeys(words.split(), str(wait.sentence))


@pytest.mark.parametrize(
    ("told", "word"),
    [
        ("Priority", "Priority"),
        ("", ""),
        ("(null)", ""),
        ("ReqNodeNotAvail(Unavailable:gpu1)", "ReqNodeNotAvail"),
        ("ReqNodeNotAvail, UnavailableNodes:gpu[1-9]", "ReqNodeNotAvail"),
        ("ReqNodeNotAvail,_May_be_reserved_for_other_job", "ReqNodeNotAvail"),
        ("launch failed requeued held", "launch_failed_requeued_held"),
        (
            "Nodes required for job are DOWN, DRAINED or reserved for jobs in higher priority",
            "Nodes_required_for_job_are_DOWN",
        ),
        ("<b>\x00\x1b[31m é", "b_31m"),
    ],
)
def test_of_what_an_engine_says_one_plain_word_is_kept(told, word):
    assert waits.plain(told) == word


def test_a_word_fits_its_column():
    most = Run._meta.get_field("waiting_reason").max_length

    assert most == waits.WORD_MAX == len(waits.plain("x" * 500))
    assert max(map(len, SLURM_22_05)) <= most


@pytest.mark.parametrize(
    ("language", "position", "word", "said"),
    [
        ("en", 1, "", "Your run is first in the queue."),
        ("nl", 1, "", "Uw run is de eerste in de rij."),
        ("en", 10, "Priority", "Your run is tenth in the queue."),
        ("en", 11, "Priority", "Your run is number 11 in the queue."),
        ("nl", 1234, "Priority", "Uw run is nummer 1.234 in de rij."),
        (
            "nl",
            3,
            "Resources",
            "Uw run is de derde in de rij. De run begint zodra er genoeg vrij is.",
        ),
        ("en", None, "Priority", "The run waits for its turn."),
        ("en", None, "", ""),
        ("en", 2, "Moon", "Your run is second in the queue. The cluster says: Moon"),
        ("nl", None, "Moon", "Het cluster meldt: Moon"),
    ],
)
def test_a_run_that_waits_is_told_where_it_stands_and_why(language, position, word, said):
    with translation.override(language):
        assert waits.sentence(position, word) == said


@pytest.mark.parametrize("language", ["en", "nl"])
def test_an_ending_of_which_we_know_nothing_is_shown_as_it_is(language):
    said = {"en": "The cluster says: moonlight", "nl": "Het cluster meldt: moonlight"}

    with translation.override(language):
        assert (reasons.ending("moonlight"), reasons.ending("")) == (said[language], "")


@pytest.mark.parametrize(
    ("word", "needed"),
    [
        ("JobHeldUser", True),
        ("AssocGrpGRESMinutes", True),
        ("Priority", False),
        ("Moon", False),
    ],
)
def test_who_must_do_something_is_told_so(word, needed):
    assert waits.needs_you(word) is needed


def test_a_bad_row_is_told_with_its_file_in_the_readers_language():
    empty = problem(3, "In line %(line)s %(name)s is empty; fill it.", name="prompt")
    failed = refuse(empty, "rows.jsonl")

    with translation.override("nl"):
        said = told(failed.sentence)

    assert str(failed.sentence) == "rows.jsonl: In line 3 prompt is empty; fill it."
    assert said == "rows.jsonl: In regel 3 is prompt leeg; vul het in."
