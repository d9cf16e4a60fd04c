"""`fabriek demo`: the whole journey, for real, and then the portal to look at it."""

import sys
from argparse import ArgumentParser
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path

from django.conf import settings
from django.core.management import call_command
from django.core.management.base import BaseCommand, CommandError
from django.utils import translation
from rich.console import Console
from rich.progress import (
    BarColumn,
    Progress,
    SpinnerColumn,
    TaskID,
    TextColumn,
    TimeElapsedColumn,
)
from rich.table import Table

from fabriek.allocations.models import Allocation
from fabriek.cases.models import Case
from fabriek.demo import cast, following, ground, journey, story, summary
from fabriek.kernel.errors import Refused
from fabriek.registry.models import Model
from fabriek.runs.actions import Wish
from fabriek.runs.models import Run
from fabriek.runs.states import RunState
from fabriek.serve import supervisor


class Command(BaseCommand):
    help = "Walk a whole case from idea to model, for real."

    def add_arguments(self, parser: ArgumentParser) -> None:
        parser.add_argument("--exit", action="store_true", dest="leave")
        parser.add_argument("--data", type=Path, help="your own .jsonl rows to fine-tune on")
        parser.add_argument("--port", type=int, default=8000)
        parser.add_argument(
            "--engine", choices=("local", "slurm"), help="as `fabriek demo` set"
        )

    def handle(
        self,
        *_args: object,
        leave: bool,
        data: Path | None,
        port: int,
        engine: str | None,
        **_options: object,
    ) -> None:
        console = Console()
        if data is not None and not data.is_file():
            raise CommandError(f"There is no file {data}. Give the path of a .jsonl file.")
        ground.refuse_unfit(engine or settings.ENGINE)
        call_command("migrate", verbosity=0)
        call_command("seed")
        with translation.override("nl"):
            try:
                found = Demo(console, data).walk()
            except Refused as refusal:
                raise CommandError(str(refusal)) from refusal
        _print_summary(console, found)
        if doubts := summary.doubts(found):
            raise CommandError("Not everything happened: " + "; ".join(doubts))
        if leave:
            return
        _print_sign_ins(console, port)
        sys.exit(supervisor.run(host="127.0.0.1", port=port, threads=8))


class Demo:
    """One walk, with a progress display: a line for the journey, one for the run of now."""

    def __init__(self, console: Console, data: Path | None) -> None:
        self._data = data
        self._console = console
        self._progress = Progress(
            SpinnerColumn(),
            TextColumn("{task.description}"),
            BarColumn(),
            TimeElapsedColumn(),
            console=console,
            disable=not console.is_terminal,
        )

    def walk(self) -> summary.Summary:
        with self._progress:
            people, case = self._prepare()
            with self.step("GPU-hours: award, then an allocation"):
                application = journey.judge(journey.apply(case, people), people)
                allocation = journey.open_hours(application, people)
            with self.step("Data: push what to learn from"):
                text = journey.push(
                    case, title=story.TEXT_TITLE, files=story.TEXT_FILES, by=people.applicant
                )
                title, files = self._rows()
                rows = journey.push(case, title=title, files=files, by=people.applicant)
            if self._data is None:  # somebody's own file is lent to nobody
                with self.step("Agreement: the institute may measure on it"):
                    journey.lend(rows, people)
            wish = Wish(
                recipe="pretrain_lm", knobs=story.PRETRAIN_KNOBS, inputs={"dataset": text}
            )
            first = self._run("Run 1: make a small language model", wish, allocation, people)
            base = Model.objects.get(run=first).revision
            wish = Wish(
                recipe="finetune_lm",
                knobs=story.FINETUNE_KNOBS,
                inputs={"dataset": rows, "model": base},
            )
            second = self._run("Run 2: teach it the task", wish, allocation, people)
            with self.step("Model: registered, with its card and origin"):
                return summary.read_back(case, (first, second))

    def _prepare(self) -> tuple[cast.Cast, Case]:
        with self.step("People: accounts and organisations"):
            people = cast.gather()
        with self.step("Case: proposed, with a partner"):
            case = journey.propose(people)
            journey.build_consortium(case, people)
            journey.ask_advice(case, people)
        return people, case

    def _rows(self) -> tuple[str, Mapping[str, Path]]:
        if self._data is None:
            return story.ROWS_TITLE, story.ROWS_FILES
        name = self._data.name
        return f"Eigen bestand {name}"[:200], {name: self._data}

    def _run(self, what: str, wish: Wish, allocation: Allocation, people: cast.Cast) -> Run:
        task = self._begin(what)
        run = journey.ask_run(wish, allocation=allocation, by=people.applicant)

        def show(now: Run) -> None:
            said = f"{what} · {now.get_state_display()} {now.stage}"
            total = now.progress_total or None
            self._progress.update(
                task, description=said, completed=now.progress_done, total=total
            )

        run = following.until_over(run, show)
        self._progress.update(task, description=f"{what} · {run.code}", completed=1, total=1)
        if run.state != RunState.SUCCEEDED:
            raise CommandError(
                f"{run.code} ended as {run.state} ({run.reason}). Its log: {run.folder / 'log'}"
            )
        return run

    @contextmanager
    def step(self, what: str) -> Iterator[None]:
        """Show it as begun, and as done once it is left."""
        task = self._begin(what, total=1)
        yield
        self._progress.update(task, completed=1)

    def _begin(self, what: str, total: int | None = None) -> TaskID:
        if not self._console.is_terminal:  # a log shows no bars, and is read while it grows
            self._console.print(what)
        return self._progress.add_task(what, total=total)


def _print_summary(console: Console, found: summary.Summary) -> None:
    table = Table(title="What happened", show_header=False, title_justify="left")
    rows = [
        ("Case", f"{found.case.code} · {found.case.title}"),
        (
            "Award",
            f"{found.application.code} · {found.application.gpu_hours_asked:,} GPU-hours",
        ),
        ("Runs", ", ".join(run.code for run in found.runs)),
        ("GPU-seconds held", f"{found.gpu_seconds_held:,}"),
        ("GPU-seconds spent", f"{found.gpu_seconds_spent:,}"),
        ("Right before training", found.score("before")),
        ("Right after training", found.score("after")),
        ("Model", f"{found.model.code} · {found.model.title}"),
        ("Model card", str(found.card)),
        ("Page", found.url),
    ]
    for name, value in rows:
        table.add_row(name, value)
    console.print(table)


def _print_sign_ins(console: Console, port: int) -> None:
    passwords = cast.sign_ins()
    table = Table(title=f"Sign in at http://127.0.0.1:{port}", title_justify="left")
    for heading in ("as", "e-mail", "password"):
        table.add_column(heading)
    for role in story.ROLES:
        table.add_row(role.what, role.email, passwords[role.email])
    console.print(table)
    console.print(f"Everything lies in {settings.HOME}. Stop with Ctrl-C.")
