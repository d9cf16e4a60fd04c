"""A factory with one case that may run, made as the demo makes it, on the real engine."""

import secrets
import time
from collections import Counter
from collections.abc import Sequence

from django.test import Client
from django.utils import translation

from bench import visitors
from fabriek.allocations.models import Allocation
from fabriek.demo import cast, journey, story
from fabriek.engines.slurm import Slurm
from fabriek.engines.slurm_shell import Answer, Shell
from fabriek.runs import accounts, actions, reconcile
from fabriek.runs.engine import engine
from fabriek.runs.models import Run
from fabriek.runs.states import UNFINISHED, RunState

GRANTED_GPU_S = 5000 * 3600
KNOBS = {"size": "tiny", "vocabulary": 512, "epochs": 1}
TIMEOUT_S = 3600


class Factory:
    def __init__(self) -> None:
        made = engine()
        assert isinstance(made, Slurm)
        self.engine = made
        self.commands = _counted_commands()
        self._people = cast.gather()
        with translation.override("nl"):
            self._case = journey.propose(self._people)
            journey.build_consortium(self._case, self._people)
            journey.ask_advice(self._case, self._people)
            application = journey.judge(journey.apply(self._case, self._people), self._people)
            allocation = journey.open_hours(application, self._people)
            self._text = journey.push(
                self._case,
                title=story.TEXT_TITLE,
                files=story.TEXT_FILES,
                by=self._people.applicant,
            )
        # A name that no demo on the same cluster has.
        Allocation.objects.update(account=f"bench-{secrets.token_hex(5)}")
        self._allocation = Allocation.objects.get(pk=allocation.pk)
        token = visitors.key_for(self._people.applicant)
        self._client = Client(
            SERVER_NAME="localhost", headers={"Authorization": f"Bearer {token}"}
        )
        reconcile.tick(self.engine)

    def ask_and_send(self) -> None:
        """Ask by the API, and make the part of a pass that sends it."""
        asked = {
            "case": self._case.code,
            "recipe": "pretrain_lm",
            "knobs": KNOBS,
            "inputs": {"dataset": self._text.repository.dataset.code},
            "timeout_s": TIMEOUT_S,
        }
        answer = self._client.post("/api/runs/", asked, content_type="application/json")
        if answer.status_code != 201:
            raise RuntimeError(answer.content.decode())
        reconcile.send_waiting(self.engine)

    def fill(self, living: int) -> float:
        """Ask for runs until so many live, send them, and give how many went in a second."""
        missing = living - Run.objects.filter(state__in=UNFINISHED).count()
        start = time.perf_counter()
        for _ in range(missing):
            self._ask()
        reconcile.send_waiting(self.engine)
        took_s = time.perf_counter() - start
        waiting = Run.objects.filter(state=RunState.QUEUED).count()
        if waiting != living:
            raise RuntimeError(f"{waiting} runs stand in the queue, not {living}.")
        return missing / took_s

    def adopt(self, keys: Sequence[str]) -> None:
        """Write runs down for jobs that stand in the queue: to ask for each takes minutes."""
        like = Run.objects.filter(state=RunState.QUEUED).latest("pk")
        kept = {field.attname for field in Run._meta.concrete_fields} - {"id", "key", "code"}
        columns = {name: getattr(like, name) for name in kept}
        Run.objects.bulk_create(Run(key=key, code=key, **columns) for key in keys)

    def forget_runs(self) -> None:
        """Cancel what was asked for, so that the next count begins at none."""
        for run in Run.objects.filter(state__in=UNFINISHED):
            actions.cancel(run, by=self._people.applicant)
        until = time.monotonic() + 60
        while Run.objects.filter(state__in=UNFINISHED).exists():
            reconcile.tick(self.engine)
            if time.monotonic() > until:
                raise RuntimeError("The runs that were cancelled do not end.")
            time.sleep(0.2)

    def remove_account(self) -> None:
        """Take away the Unix account that its case got."""
        accounts.call_hook("remove", self._case.unix_account)

    def living(self) -> list[str]:
        return list(Run.objects.filter(state__in=UNFINISHED).values_list("key", flat=True))

    def _ask(self) -> None:
        wish = actions.Wish(
            recipe="pretrain_lm",
            knobs=KNOBS,
            inputs={"dataset": self._text},
            timeout_s=TIMEOUT_S,
        )
        actions.ask(wish, allocation=self._allocation, by=self._people.applicant)


def _counted_commands() -> Counter[str]:
    """Count what the engine asks of Slurm, by the name of the command."""
    asked: Counter[str] = Counter()
    ask = Shell.ask

    def counted(self: Shell, *words: str, **more: object) -> Answer:
        asked[words[0]] += 1
        return ask(self, *words, **more)  # type: ignore[arg-type]

    Shell.ask = counted  # type: ignore[method-assign]
    return asked
