"""Old lines of sacct become history: once each, in little memory, and never billed."""

import gzip
import io
import json
import os
import signal
import sqlite3
import subprocess
import sys
import tracemalloc
from contextlib import closing
from datetime import UTC, datetime, timedelta
from zoneinfo import ZoneInfo

import pytest
from django.core.management import CommandError, call_command
from django.utils import timezone

from fabriek.engines import sacct
from fabriek.engines.fake import Fake
from fabriek.machine import books, imports
from fabriek.machine.models import Stretch
from tests import tables
from tests.engines.waiting import eventually
from tests.factories import a_run, an_allocation
from tests.machine.records import a_record

LINES = 120_000  # of which a second brings in less than a third
HEADER = "|".join(sacct.FIELDS)
LINE = (
    "17|snellius|alice|proj1|COMPLETED|1700000000|1700000600|1700004200|3600|2|"
    "billing=18,cpu=18,gres/gpu:h100=8,gres/gpu=8,mem=1440G,node=2|123456|train.sh"
)
THEN = datetime.fromtimestamp(1_700_000_000, UTC)  # its Submit


@pytest.fixture
def file(tmp_path):
    def made(*lines, name="sacct.txt"):
        path = tmp_path / name
        text = "".join(f"{line}\n" for line in lines).encode("utf-8", "surrogateescape")
        path.write_bytes(gzip.compress(text) if name.endswith(".gz") else text)
        return str(path)

    return made


def a_line(**changes):
    fields = dict(zip(sacct.FIELDS, LINE.split("|"), strict=True))
    return "|".join((fields | changes).values())


def said(path, capsys, *words):
    call_command("slurm_import", *words, path)
    return capsys.readouterr().out


def test_a_line_becomes_a_stretch_with_wait_tres_and_measured_energy(db, file, capsys):
    told = said(file(HEADER, LINE), capsys)

    stretch = Stretch.objects.get()
    assert (stretch.key, stretch.number) == ("snellius:17:1700000000:1700000600", "17")
    assert (stretch.name, stretch.user, stretch.account) == ("train.sh", "alice", "proj1")
    assert (stretch.nodes, stretch.gpus, stretch.elapsed_s, stretch.state) == (
        2,
        8,
        3600,
        "COMPLETED",
    )
    assert stretch.started_at - stretch.submitted_at == timedelta(minutes=10)
    assert (stretch.energy_j, stretch.energy_method) == (123456, "measured")
    assert (stretch.is_history, stretch.awaits_charge, stretch.allocation) == (
        True,
        False,
        None,
    )
    assert told.startswith("1 records, of which 1 were new, in ")
    assert told.endswith("They are history: no ledger was changed.\n")


def test_importing_again_adds_nothing(db, file, capsys):
    path = file(HEADER, LINE, a_line(JobIDRaw="18"))
    said(path, capsys)

    assert said(path, capsys).startswith("2 records, of which 0 were new")
    assert Stretch.objects.count() == 2


def test_a_job_that_was_started_again_and_a_number_used_again_are_lines_of_their_own(
    db, file, capsys
):
    again = a_line(Submit="1700004300", Start="1700004400", End="1700004500", ElapsedRaw="100")

    said(file(HEADER, LINE, again, a_line(Cluster="other")), capsys)

    assert Stretch.objects.count() == 3


def test_history_of_our_own_accounts_is_linked_and_bills_nobody(db, file, capsys):
    allocation = an_allocation(gpu_seconds=3600)
    run = a_run(allocation=allocation, asked_at=THEN)
    ours = [
        a_line(Account=allocation.account, JobName=run.key),
        a_line(Account=allocation.account, JobIDRaw="18"),
    ]

    said(file(HEADER, *ours), capsys)
    books.charge_around()

    assert set(Stretch.objects.values_list("allocation", "run")) == {
        (allocation.pk, run.pk),
        (allocation.pk, None),
    }
    assert not allocation.lines.exclude(kind="grant").exists()


def test_what_was_brought_in_and_is_then_told_by_the_machine_is_billed_once(db):
    allocation = an_allocation(gpu_seconds=3600)
    told = a_record(account=allocation.account, elapsed_s=60)
    machine = Fake()
    machine.others = [told]
    imports.keep([told], imports.Links(), is_history=True)

    for _ in range(2):
        books.draw(machine, timezone.now())

    stretch = Stretch.objects.get()
    assert (stretch.is_history, stretch.awaits_charge) == (False, False)
    allocation.refresh_from_db()
    assert allocation.gpu_seconds_spent == 60


def test_columns_may_stand_in_any_order_with_others_between_any_signs(db, file, capsys):
    names = ["JobName", "Partition", *reversed(sacct.FIELDS[:-1])]
    fields = dict(zip(sacct.FIELDS, LINE.split("|"), strict=True)) | {"Partition": "gpu"}
    between = "~8213~"

    said(file(between.join(names), between.join(fields[name] for name in names)), capsys)

    assert Stretch.objects.get().key == "snellius:17:1700000000:1700000600"


def test_what_needed_columns_lack_is_said(db, file):
    names = [name for name in sacct.FIELDS if name not in {"Cluster", "AllocTRES"}]

    with pytest.raises(CommandError) as refused:
        call_command("slurm_import", file("|".join(names)))

    assert str(refused.value).startswith(
        "These columns lack: Cluster, AllocTRES. Add them to --format."
    )


@pytest.mark.parametrize("lines", [(), ("hello world",), (LINE,), ("\x7fELF|\x00",)])
def test_a_file_of_something_else_is_refused(db, file, lines):
    with pytest.raises(CommandError, match="does not name the columns of sacct"):
        call_command("slurm_import", file(*lines))


@pytest.mark.parametrize(
    ("moment", "zone", "epoch"),
    [
        ("2023-11-14T23:13:20", "Europe/Amsterdam", 1_700_000_000),
        ("2023-11-14T22:13:20", "UTC", 1_700_000_000),
        ("1700000000", "UTC", 1_700_000_000),
    ],
)
def test_moments_are_of_the_zone_that_is_named_unless_they_are_seconds(
    db, file, capsys, moment, zone, epoch
):
    said(file(HEADER, a_line(Start=moment)), capsys, "--zone", zone)

    assert Stretch.objects.get().started_at.timestamp() == epoch


def test_a_zone_that_is_none_is_refused(db, file):
    with pytest.raises(CommandError, match="Mars is no time zone"):
        call_command("slurm_import", file(HEADER), "--zone", "Mars")


@pytest.mark.parametrize(
    "changes",
    [
        {"End": "Unknown"},
        {"Start": "Unknown", "AllocTRES": "", "State": "CANCELLED by 1000"},
        {"Start": "None", "AllocTRES": ""},
        {"JobIDRaw": "17.batch"},
        {"JobIDRaw": "17.0"},
    ],
    ids=["runs", "never started", "none", "batch step", "step"],
)
def test_jobs_that_run_or_never_started_and_steps_are_left_out(db, file, capsys, changes):
    told = said(file(HEADER, a_line(**changes)), capsys)

    assert not Stretch.objects.exists()
    assert "; 1 lines left out" in told


@pytest.mark.parametrize(
    ("bad", "why"),
    [
        (a_line(ElapsedRaw="-5"), "ElapsedRaw is no such number: '-5'"),
        (a_line(NNodes="9" * 12), "NNodes is no such number"),
        (a_line(JobIDRaw="seventeen"), "JobIDRaw is no number: 'seventeen'"),
        (a_line(Start="yesterday"), "invalid literal"),
        (a_line(Start="2023-99-99T00:00:00"), "month must be in 1..12"),
        ("half|a|line", "3 fields, where the first line has 13"),
        ("", "1 fields, where the first line has 13"),
        ("\udcff\udcfe", "1 fields"),
    ],
)
def test_a_bad_line_is_told_with_its_number_and_the_others_go_on(db, file, capsys, bad, why):
    told = said(file(HEADER, LINE, bad, a_line(JobIDRaw="18")), capsys)

    assert Stretch.objects.count() == 2
    assert "; 1 not understood." in told
    assert f"  line 3: {why}" in told


def test_a_file_of_nothing_but_bad_lines_is_given_up(db, file):
    with pytest.raises(CommandError, match="1001 of 1002 lines cannot be understood"):
        call_command("slurm_import", file(HEADER, *["rubbish"] * 5000))


def test_a_name_with_the_sign_between_fields_does_no_harm(db, file, capsys):
    said(file(HEADER, a_line(JobName="a|b|1")), capsys)

    assert Stretch.objects.get().name == "a|b|1"


def test_packed_and_piped_files_are_read_too(db, file, capsys, monkeypatch):
    said(file(HEADER, LINE, name="sacct.txt.gz"), capsys)
    text = f"{HEADER}\r\n{a_line(JobIDRaw='18')}\r\n".encode()
    monkeypatch.setattr("sys.stdin", io.TextIOWrapper(io.BufferedReader(io.BytesIO(text))))

    said("-", capsys)

    assert set(Stretch.objects.values_list("number", flat=True)) == {"17", "18"}


def test_a_damaged_packed_file_keeps_what_was_read(db, file, tmp_path):
    lines = [a_line(JobIDRaw=str(number)) for number in range(9000)]
    whole = (tmp_path / file(HEADER, *lines, name="a.gz")).read_bytes()
    torn = tmp_path / "torn.gz"
    torn.write_bytes(whole[: len(whole) // 2])

    with pytest.raises(CommandError, match="damaged from here on"):
        call_command("slurm_import", str(torn))

    assert 0 < Stretch.objects.count() < 9000


def test_a_file_that_is_not_there_is_said(db, tmp_path):
    with pytest.raises(CommandError, match="cannot be read: No such file or directory"):
        call_command("slurm_import", str(tmp_path / "nothing"))
    with pytest.raises(CommandError, match="cannot be read: Is a directory"):
        call_command("slurm_import", str(tmp_path))


@pytest.mark.slow
def test_six_times_the_lines_take_no_more_memory(db):
    def peak(lines):
        made = (f"{a_line(JobIDRaw=str(number))}\n".encode() for number in range(lines))
        file = io.BufferedReader(Raw([f"{HEADER}\n".encode(), *made]))
        tracemalloc.start()
        imports.bring_in(file, zone=ZoneInfo("UTC"), each_batch=lambda _tally: None)
        _, most = tracemalloc.get_traced_memory()
        tracemalloc.stop()
        return most

    few = peak(2500)
    many = peak(15_000)

    assert Stretch.objects.count() == 15_000
    assert many < few * 1.3


class Raw(io.RawIOBase):
    """Gives lines that were made before, so that making them is not measured."""

    def __init__(self, lines):
        self._lines = iter(lines)

    def readable(self):
        return True

    def readinto(self, buffer):
        line = next(self._lines, b"")
        buffer[: len(line)] = line
        return len(line)


@pytest.mark.slow
def test_an_import_that_was_killed_is_done_again_without_doubling(tmp_path):
    path = tmp_path / "sacct.txt"
    with path.open("w") as file:
        file.write(f"{HEADER}\n")
        file.writelines(f"{a_line(JobIDRaw=str(number))}\n" for number in range(LINES))
    home = tmp_path / "home"
    environment = os.environ | {"FABRIEK_HOME": str(home), "FABRIEK_DATABASE": ""}

    tables.give(home)

    def importing():
        return subprocess.Popen(
            [sys.executable, "-m", "fabriek", "slurm_import", str(path)],
            env=environment,
            stdout=subprocess.PIPE,
            stderr=subprocess.DEVNULL,
        )

    for number in (signal.SIGKILL, signal.SIGINT):
        before = _kept(home)
        with importing() as process:
            eventually(lambda before=before: _kept(home) > before, within_s=180)
            process.send_signal(number)
            process.communicate(timeout=180)
        assert _kept(home) < LINES
    told = []
    for _ in range(2):
        with importing() as process:
            told.append(process.communicate(timeout=180)[0].decode())

    assert told[0].startswith(f"{LINES} records, of which ")
    assert told[1].startswith(f"{LINES} records, of which 0 were new")
    assert _kept(home) == LINES


def _kept(home):
    with closing(sqlite3.connect(home / "fabriek.sqlite3", timeout=20)) as database:
        return database.execute("SELECT count(*) FROM machine_stretch").fetchone()[0]


def test_the_report_for_programs_says_what_the_report_in_words_says(db, capsys):
    with pytest.raises(SystemExit) as ended:
        call_command("slurm_drift", "--json")
    shaped = json.loads(capsys.readouterr().out)
    with pytest.raises(SystemExit):
        call_command("slurm_drift")
    words = capsys.readouterr().out

    assert ended.value.code == 1
    [finding] = shaped["findings"]
    assert (shaped["drift"], finding["kind"], finding["is_drift"]) == (True, "silent", True)
    assert finding["sentence"] == "The machine's accounting was never heard."
    assert words.startswith("The machine's accounting and the ledger differ in one thing.\n")
    assert finding["sentence"] in words
    assert finding["what_to_do"] in words


def test_reconciling_by_hand_draws_and_corrects_and_leaves_no_drift(db, capsys, settings):
    settings.ENGINE = "fake"
    an_allocation()

    call_command("slurm_reconcile", "--days", "2")

    assert capsys.readouterr().out == (
        "0 new lines of the machine's accounting; 0 bills corrected.\n"
    )
    with pytest.raises(SystemExit) as ended:
        call_command("slurm_drift")
    assert ended.value.code == 0


@pytest.mark.parametrize("days", ["0", "-1", "99999"])
def test_days_that_make_no_sense_are_refused(db, days):
    with pytest.raises(CommandError, match="Choose from 1 to 3660 days"):
        call_command("slurm_reconcile", "--days", days)
