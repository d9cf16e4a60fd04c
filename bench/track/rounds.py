"""The rounds in their order, and the servers that they ask."""

import json
import os
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager, suppress
from dataclasses import dataclass
from http.client import HTTPConnection
from pathlib import Path

from django.conf import settings

from bench import surroundings, telling
from bench.data import peers
from bench.server import HOST, free_port, running
from bench.table import Table
from bench.track import drawing, logging_

READY_WITHIN_S = 120
GRACE_S = 10
AT = "/api/2.0/mlflow"


@dataclass(frozen=True, kw_only=True, slots=True)
class Place:
    """A run on a server, over one connection that stays open."""

    name: str
    connection: HTTPConnection
    run: str
    headers: dict[str, str]
    session: dict[str, str]

    def log(self, body: bytes) -> None:
        self.connection.request("POST", f"{AT}/runs/log-batch", body, self.headers)
        answer = self.connection.getresponse()
        content = answer.read()
        if answer.status != 200:
            raise RuntimeError(f"{self.name}: {content[:300]!r}")

    def page_s(self) -> float:
        """Tell how long the page of the run takes."""
        began = time.perf_counter()
        self.connection.request("GET", f"/tracking/runs/{self.run}/", headers=self.session)
        answer = self.connection.getresponse()
        answer.read()
        if answer.status != 200:
            raise RuntimeError(f"{self.name}: the page answered {answer.status}")
        return time.perf_counter() - began


def main(words: list[str]) -> int:
    return telling.main(words, _rounds, kind="track")


def _rounds(wanted: list[str], small: bool) -> Iterator[Table]:
    with ExitStack() as stack:
        postgres = stack.enter_context(_ours("PostgreSQL", dict(os.environ)))
        sqlite = stack.enter_context(_ours("SQLite", _on_sqlite()))
        if "logging" in wanted:
            with _mlflow("SQLite") as first, _mlflow("PostgreSQL") as second:
                there = [peer for peer in (first, second) if peer]
                yield logging_.measure([sqlite, postgres, *there], small=small)
        if "drawing" in wanted:
            yield drawing.measure([sqlite, postgres], small=small)


def _on_sqlite() -> dict[str, str]:
    """Give the surroundings of a second factory, with a database of its own."""
    home = Path(settings.HOME) / "sqlite"
    (home / "static").mkdir(parents=True)
    environment = os.environ | {"FABRIEK_HOME": str(home), "FABRIEK_DATABASE": ""}
    surroundings.make_ready(environment)
    return environment


@contextmanager
def _ours(name: str, environment: dict[str, str]) -> Iterator[Place]:
    filling = [sys.executable, "-m", "bench.track.filling"]
    done = subprocess.run(filling, env=environment, check=True, capture_output=True, text=True)
    told = json.loads(done.stdout.splitlines()[-1])
    with running(environment) as server:
        yield Place(
            name=f"Fabriek, {name}",
            connection=server.connect(),
            run=told["run"],
            headers={
                "Authorization": f"Bearer {told['token']}",
                "Content-Type": "application/json",
            },
            session=told["session"],
        )


@contextmanager
def _mlflow(kind: str) -> Iterator[Place | None]:
    """Start MLflow's own server at its best: one worker, nothing beside it."""
    program = peers.program("mlflow", "mlflow")
    if program is None or (kind == "PostgreSQL" and not _has_driver()):
        yield None
        return
    home, port = Path(settings.HOME) / f"mlflow-{kind}", free_port()
    home.mkdir()
    command = [program, "server", "--host", HOST, "--port", str(port), "--workers", "1"]
    command += ["--backend-store-uri", _store(kind, home)]
    command += ["--artifacts-destination", str(home / "files")]
    quiet = {"MLFLOW_SERVER_ENABLE_JOB_EXECUTION": "false", "MLFLOW_DISABLE_TELEMETRY": "true"}
    path = f"{Path(program).parent}:{os.environ['PATH']}"
    kept = {name: word for name, word in os.environ.items() if "DJANGO" not in name}
    process = subprocess.Popen(
        command, env=kept | quiet | {"PATH": path}, cwd=home, stdout=subprocess.DEVNULL,
        stderr=subprocess.DEVNULL,
    )  # fmt: skip
    try:
        _wait(process, port)
        yield _run_of_mlflow(kind, port)
    finally:
        process.terminate()
        with suppress(subprocess.TimeoutExpired):
            process.wait(GRACE_S)
        process.kill()


def _has_driver() -> bool:
    """See whether the peer can reach PostgreSQL: its environment may be older than that."""
    python = peers.python("mlflow")
    found = subprocess.run(
        [str(python), "-c", "import psycopg2"], check=False, capture_output=True
    )
    if found.returncode:
        print("mlflow has no psycopg2-binary: remove .bench-peers/mlflow to have it made anew.")
    return not found.returncode


def _store(kind: str, home: Path) -> str:
    """Say where the peer keeps what it is told: on our server of PostgreSQL, or in a file."""
    if kind == "SQLite":
        return f"sqlite:///{home}/mlflow.db"
    address = os.environ["FABRIEK_DATABASE"]
    surroundings.make_database(address, "mlflow")
    own = surroundings.beside(address, "mlflow")
    return own.replace("postgresql://", "postgresql+psycopg2://", 1)


def _run_of_mlflow(kind: str, port: int) -> Place:
    connection = HTTPConnection(HOST, port, timeout=60)
    headers = {"Content-Type": "application/json"}
    asked = json.dumps({"experiment_id": "0", "start_time": 1000})
    connection.request("POST", f"{AT}/runs/create", asked, headers)
    run = json.loads(connection.getresponse().read())["run"]["info"]["run_id"]
    connection.close()  # its server hangs up after 5 s; the next call opens another
    return Place(
        name=f"mlflow server, {kind}",
        connection=connection,
        run=run,
        headers=headers,
        session={},
    )


def _wait(process: "subprocess.Popen[bytes]", port: int) -> None:
    end = time.monotonic() + READY_WITHIN_S
    while time.monotonic() < end and process.poll() is None:
        with suppress(OSError):
            connection = HTTPConnection(HOST, port, timeout=2)
            connection.request("GET", "/health")
            if connection.getresponse().status == 200:
                return
        time.sleep(0.3)
    raise RuntimeError("mlflow server did not start.")
