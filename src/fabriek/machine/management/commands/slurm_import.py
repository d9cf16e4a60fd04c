"""`fabriek slurm import FILE`: bring in old lines of sacct, as history."""

import os
import sys
import time
from argparse import ArgumentParser
from contextlib import AbstractContextManager, nullcontext
from io import BufferedReader
from pathlib import Path
from typing import BinaryIO, cast
from zoneinfo import ZoneInfo, ZoneInfoNotFoundError

from django.conf import settings
from django.core.management.base import BaseCommand, CommandError

from fabriek.machine import imports

INTERRUPTED = 130
# How often a terminal, and how often a file of log, is told how far it is.
TERMINAL_S, LOG_S = 0.5, 10.0
CLEAR = "\r\x1b[K"


class Command(BaseCommand):
    help = "Bring in old lines of sacct as history: linked to accounts and runs, never billed."

    def add_arguments(self, parser: ArgumentParser) -> None:
        parser.add_argument(
            "file", help="what sacct printed, plain or .gz; - for what is piped"
        )
        parser.add_argument(
            "--zone",
            default=settings.TIME_ZONE,
            help="of the moments in it, unless they are seconds (SLURM_TIME_FORMAT=%%s)",
        )

    def handle(self, *_args: object, file: str, zone: str, **_options: object) -> None:
        tally = imports.Tally()
        try:
            with _file(file) as raw:
                progress = Progress(self, raw)
                tally = imports.bring_in(
                    imports.opened(raw), zone=_zone(zone), each_batch=progress.tell
                )
        except OSError as error:
            raise CommandError(f"{file} cannot be read: {error.strerror or error}.") from error
        except imports.NotThis as reason:
            raise CommandError(
                f"{reason} What was read before stays; importing again is harmless."
            ) from reason
        except KeyboardInterrupt:
            self.stderr.write(
                "\nStopped. What was read stays; import the same file again to go on."
            )
            sys.exit(INTERRUPTED)
        progress.end(tally)


class Progress:
    """Says how far an import is: in place on a terminal, as lines elsewhere."""

    def __init__(self, command: BaseCommand, raw: BinaryIO) -> None:
        self._command = command
        self._raw = raw
        self._size = _size_bytes(raw)
        self._began = self._told_at = time.monotonic()
        self._is_terminal = sys.stderr.isatty()

    def tell(self, tally: imports.Tally) -> None:
        now = time.monotonic()
        if now - self._told_at < (TERMINAL_S if self._is_terminal else LOG_S):
            return
        self._told_at = now
        start, end = (CLEAR, "") if self._is_terminal else ("", "\n")
        # Not by the command's own stderr, which says everything in red.
        sys.stderr.write(f"{start}{self._said(tally)}{end}")
        sys.stderr.flush()

    def end(self, tally: imports.Tally) -> None:
        if self._is_terminal:
            sys.stderr.write(CLEAR)
        out = self._command.stdout
        out.write(
            f"{tally.records} records, of which {tally.new} were new, in "
            f"{time.monotonic() - self._began:.1f} s; {tally.left_out} lines left out (steps, "
            f"and jobs that ran still or never started); {tally.bad} not understood."
        )
        for line in tally.told:
            out.write(f"  {line}")
        if tally.bad > len(tally.told):
            out.write(f"  and {tally.bad - len(tally.told)} more")
        out.write("They are history: no ledger was changed.")

    def _said(self, tally: imports.Tally) -> str:
        pace = tally.records / max(time.monotonic() - self._began, 0.001)
        said = f"{tally.records} records, {pace:.0f} a second"
        if self._size:
            said += f", {100 * self._raw.tell() / self._size:.0f} % of the file"
        return said + (f", {tally.bad} not understood" if tally.bad else "")


def _file(name: str) -> AbstractContextManager[BufferedReader]:
    if name == "-":
        return nullcontext(cast(BufferedReader, sys.stdin.buffer))
    return Path(name).open("rb")


def _zone(name: str) -> ZoneInfo:
    try:
        return ZoneInfo(name)
    except (ZoneInfoNotFoundError, ValueError) as error:
        raise CommandError(f"{name} is no time zone; say it as Europe/Amsterdam.") from error


def _size_bytes(raw: BinaryIO) -> int:
    try:
        return os.fstat(raw.fileno()).st_size if raw.seekable() else 0
    except (OSError, ValueError):
        return 0
