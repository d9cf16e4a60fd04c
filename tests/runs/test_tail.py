"""Events of a run arrive in the database: once, in order, whatever a job writes."""

import json
from datetime import UTC, datetime

import pytest
from django.utils import translation

from fabriek.runs import tail, warnings_of_end, words
from fabriek.runs.models import Metric
from fabriek_recipes.events import LINE_BYTES_MAX
from tests.factories import a_run
from tests.runs.world import events, seen_again

pytestmark = pytest.mark.django_db
A_PIECE_OF_FIGURES = LINE_BYTES_MAX // len('"n1":1,')


@pytest.fixture(autouse=True)
def _time_for_all(monkeypatch):
    """One pass reads all of it, also on a machine that is slow or has much else to do."""
    monkeypatch.setattr(tail, "READ_S_A_PASS", 600)


def loss(step, value, **fields):
    return {
        "at": 10.0 + step,
        "kind": "metrics",
        "step": step,
        "values": {"loss": value},
        **fields,
    }


def kept():
    return list(Metric.objects.order_by("step").values_list("name", "step", "value"))


def test_figures_stage_and_progress_are_copied():
    run = a_run()
    events(
        run,
        {"at": 1.0, "kind": "stage", "name": "Learning"},
        loss(1, 4.0),
        {"at": 5.0, "kind": "progress", "done": 1, "total": 8, "unit": "steps"},
    )

    tail.catch_up(run)

    now = seen_again(run)
    assert (now.stage, now.progress_done, now.progress_total) == ("Learning", 1, 8)
    assert now.stage_at == datetime.fromtimestamp(1, UTC)
    assert now.progress_at == datetime.fromtimestamp(5, UTC)
    assert kept() == [("loss", 1, 4.0)]


def test_a_torn_last_line_is_waited_for_and_never_lost():
    run = a_run()
    line = json.dumps(loss(2, 3.0))
    events(run, loss(1, 4.0), line[:20])
    assert tail.catch_up(run)
    assert kept() == [("loss", 1, 4.0)]

    events(run, line[20:] + "\n")
    tail.catch_up(run)

    assert kept() == [("loss", 1, 4.0), ("loss", 2, 3.0)]
    assert seen_again(run).events_offset == (run.folder / "events.jsonl").stat().st_size


def test_a_step_done_again_after_a_checkpoint_counts_once_with_its_last_figure():
    run = a_run()
    events(run, loss(1, 4.0), loss(2, 3.0))
    tail.catch_up(run)
    events(run, loss(2, 2.5), loss(2, 2.4))

    tail.catch_up(run)

    assert kept() == [("loss", 1, 4.0), ("loss", 2, 2.4)]


def test_two_readers_at_once_double_nothing():
    run = a_run()
    events(
        run, loss(1, 4.0), {"at": 2.0, "kind": "warning", "code": "few", "text": "Few rows."}
    )
    other = seen_again(run)
    tail.catch_up(run)

    tail.catch_up(other)

    assert kept() == [("loss", 1, 4.0)]
    assert len(seen_again(run).warnings) == 1


def test_result_failure_and_warning_are_kept():
    run = a_run()
    told = {
        "code": "few",
        "text": "3 rows.",
        "msgid": "%(count)s rows.",
        "values": {"count": 3},
    }
    events(
        run,
        {"at": 1.0, "kind": "warning", **told},
        {"at": 2.0, "kind": "result", "scores": {"loss_after": 1.5, "loss_before": None}},
        {"at": 3.0, "kind": "failure", **told},
    )

    tail.catch_up(run)

    now = seen_again(run)
    assert now.scores == {"loss_after": 1.5, "loss_before": None}
    assert now.failure == told
    assert now.warnings == [told]


@pytest.mark.parametrize(
    ("code", "msgid"), [("x", warnings_of_end.ENDS_SOON), (warnings_of_end.CODE, "x")]
)
def test_a_program_says_nothing_of_agreements_in_the_words_of_the_portal(code, msgid):
    run = a_run()
    values = {"agreement": "mevrouw de Vries", "ends_at": "F32"}
    events(run, {"at": 1.0, "kind": "warning", "code": code, "msgid": msgid, "values": values})

    tail.catch_up(run)

    (told,) = seen_again(run).warnings
    assert (told["code"], told["msgid"]) == ("", "")


@pytest.mark.parametrize(
    "line",
    [
        "not json\n",
        '{"kind": "metrics", "step": 1, "values": {"loss": 1e999}}\n',
        '{"kind": "metrics", "step": 1, "values": {"loss": true}}\n',
        '{"kind": "metrics", "step": "1", "values": {"loss": 1}}\n',
        '{"kind": "metrics", "step": 1, "values": [1]}\n',
        "[" * 5000 + "\n",
    ],
)
def test_what_is_no_figure_is_left_out(line):
    run = a_run()
    events(run, line, loss(7, 1.0))

    tail.catch_up(run)

    assert kept() == [("loss", 7, 1.0)]


def test_what_no_database_can_keep_is_made_fit():
    run = a_run()
    events(
        run,
        '{"at": 1e30, "kind": "stage", "name": "a\\u0000b\\ud800' + "c" * 90 + '"}\n',
        '{"at": -5, "kind": "failure", "code": 7, "text": "x\\u0000",'
        ' "values": {"\\u0000": []}}\n',
        f'{{"kind": "metrics", "step": {10**30}, "values": {{"loss": {10**200}}}}}\n',
        f'{{"kind": "metrics", "step": 3, "values": {{"loss": {10**400}}}}}\n',
        f'{{"kind": "progress", "done": {10**30}, "total": -4}}\n',
        '{"kind": "result", "scores": {"a\\u0000": 1, "b": "no", "c": {}}}\n',
    )

    tail.catch_up(run)

    now = seen_again(run)
    assert now.stage.startswith("ab?c")
    assert (now.progress_done, now.progress_total) == (2**31 - 1, 0)
    assert now.failure == {"code": "", "text": "x", "msgid": "", "values": {"": ""}}
    assert now.scores == {"a": 1.0, "b": None, "c": None}
    assert kept() == [("loss", 3, 1e300), ("loss", 2**63 - 1, 1e200)]


def test_a_chatty_run_is_read_in_pieces(monkeypatch):
    monkeypatch.setattr(tail, "READ_S_A_PASS", -1)
    run = a_run()
    events(run, loss(1, 4.0))

    assert not tail.catch_up(run)
    assert tail.catch_up(run)


def test_a_run_without_events_is_read_to_its_end():
    assert tail.catch_up(a_run())


def a_flood(*, names, lines):
    """Write events as small as they can be: as many figures as a file can hold."""
    values = {f"n{number}": 1 for number in range(names)}
    return [
        {"kind": "metrics", "step": step, "values": values, "at": 1} for step in range(lines)
    ]


def test_a_flood_of_figures_costs_a_pass_a_part_of_it_and_ends(monkeypatch):
    monkeypatch.setattr(tail, "READ_S_A_PASS", -1)  # each pass one piece, as on a slow machine
    run = a_run()
    events(run, *a_flood(names=5_000, lines=1), *a_flood(names=100, lines=600))
    read, kept_before = [], 0

    for _ in range(60):
        is_read = tail.catch_up(run)
        read.append(Metric.objects.count() - kept_before)
        kept_before += read[-1]
        if is_read:
            break

    assert is_read
    assert max(read) < A_PIECE_OF_FIGURES
    assert sum(read) == 100 * 600


def test_one_event_gives_only_so_many_figures():
    run = a_run()
    events(run, *a_flood(names=150, lines=1))

    tail.catch_up(run)

    assert Metric.objects.count() == tail.VALUES_MAX


def test_a_run_has_only_so_many_names_and_says_so_once(monkeypatch):
    monkeypatch.setattr(tail, "NAMES_MAX", 2)
    run = a_run()
    events(run, loss(1, 4.0, values={"a": 1, "b": 1, "c": 1, "d": 1}))
    tail.catch_up(run)
    tail.known_names.clear()  # a loop that was started again asks the database
    events(run, loss(2, 4.0, values={"e": 1, "b": 2}))

    tail.catch_up(run)

    assert kept() == [("a", 1, 1), ("b", 1, 1), ("b", 2, 2)]
    [warning] = seen_again(run).warnings
    assert warning["code"] == "too_many_names"
    with translation.override("nl"):
        assert words.event_told(warning).startswith("Het programma geeft cijfers onder te veel")


def test_the_names_of_a_run_are_asked_for_once(django_assert_num_queries):
    run = a_run()
    events(run, loss(1, 4.0))
    tail.catch_up(run)
    events(run, loss(2, 4.0))

    with django_assert_num_queries(4):  # a savepoint, the run, its figures, the savepoint
        tail.catch_up(run)


def test_a_line_no_writer_makes_is_stepped_over():
    run = a_run()
    endless = json.dumps(loss(1, 4.0, more="x" * (3 * LINE_BYTES_MAX))) + "\n"
    events(run, endless, loss(2, 3.0))

    while not tail.catch_up(run):
        pass

    assert kept() == [("loss", 2, 3.0)]


def test_events_without_an_end_do_not_keep_a_run_from_ending(monkeypatch):
    monkeypatch.setattr(tail, "EVENTS_BYTES_MAX", 2 * tail.PIECE_BYTES)
    run = a_run()
    events(run, *a_flood(names=1, lines=5_000))

    while not tail.catch_up(run):
        pass
    offset = seen_again(run).events_offset
    assert tail.catch_up(run)

    now = seen_again(run)
    assert now.events_offset == offset < 3 * tail.PIECE_BYTES
    assert [one["code"] for one in now.warnings] == ["too_many_events"]


def test_warnings_take_only_so_much_room():
    run = a_run()
    values = {f"v{number}": "x" * 5_000 for number in range(8)}
    more = {f"w{number}": 1 for number in range(100)}
    told = [
        {"kind": "warning", "code": f"c{number}", "text": "t", "values": values | more}
        for number in range(30)
    ]
    events(run, *told)

    tail.catch_up(run)

    warnings = seen_again(run).warnings
    assert len(warnings) == tail.WARNINGS_MAX
    assert len(warnings[0]["values"]) == tail.TOLD_VALUES_MAX
    assert warnings[0]["values"]["v0"] == "x" * tail.TOLD_VALUE_MAX
