"""`python -m fabriek scrub`: read all bytes of the store again, and mend what is damaged."""

import signal
import threading
import time
from argparse import ArgumentParser
from types import FrameType

from django.core.management.base import BaseCommand, CommandError
from django.utils import timezone

from fabriek.kernel.templatetags.fabriek import size
from fabriek.store import scrub
from fabriek.store.models import Damage

TELL_EVERY_S = 2
DAMAGED = 1
BUSY = 2


class Command(BaseCommand):
    help = (
        "Go on with reading the store again, to the end of the round. Ctrl-C stops it; the "
        "next time goes on from there. Ends with 1 when something is damaged."
    )

    def add_arguments(self, parser: ArgumentParser) -> None:
        parser.add_argument(
            "--all", action="store_true", help="begin anew, also with what was read of late"
        )
        parser.add_argument(
            "--mb-per-s", type=int, default=0, help="read no faster; 0: as fast as it goes"
        )

    def handle(self, *_args: object, mb_per_s: int, **options: object) -> None:
        if mb_per_s < 0:
            raise CommandError("--mb-per-s must be 0 or more.", returncode=BUSY)
        stop = threading.Event()

        def ask_to_stop(_signal: int, _frame: FrameType | None) -> None:
            stop.set()

        signal.signal(signal.SIGINT, ask_to_stop)
        signal.signal(signal.SIGTERM, ask_to_stop)
        scrub.begin(anew=bool(options["all"]))
        reader = scrub.Reader(
            is_stopped=stop.is_set, bytes_per_s=mb_per_s * 10**6, told=self._teller()
        )
        ended = reader.read()
        if reader.round is None:
            raise CommandError(
                "Another process reads the store at this moment; see the page “Store”.",
                returncode=BUSY,
            )
        self._close(reader, ended=ended)

    def _teller(self) -> "_Teller":
        return _Teller(self)

    def _close(self, reader: scrub.Reader, *, ended: bool) -> None:
        took_s = max(time.monotonic() - reader.began, 0.001)
        rate = size(int(reader.read_bytes / took_s))
        self.stdout.write(
            f"Read {reader.read_files} files ({size(reader.read_bytes)}) in {took_s:.0f} s "
            f"({rate}/s)."
        )
        if not ended:
            told = scrub.progress(timezone.now())
            self.stdout.write(f"Stopped at {told.percent} %; the next time goes on from there.")
        damaged = Damage.objects.filter(repaired_at=None).count()
        if damaged:
            raise CommandError(
                f"{damaged} files are damaged; the page “Store” says whom that hits.",
                returncode=DAMAGED,
            )
        self.stdout.write("Nothing is damaged.")


class _Teller:
    """Says now and then how far it is."""

    def __init__(self, command: Command) -> None:
        self.command = command
        self.said = time.monotonic()

    def __call__(self, reader: scrub.Reader) -> None:
        if time.monotonic() - self.said < TELL_EVERY_S:
            return
        self.said = time.monotonic()
        told = scrub.progress(timezone.now())
        self.command.stdout.write(
            f"{told.percent:3d} %  {size(told.left_bytes)} left, {reader.found} damaged"
        )
