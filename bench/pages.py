"""Pages and API lists: queries, wall time, CPU of the worker and size of each."""

import statistics
import time
from collections.abc import Iterable
from dataclasses import dataclass
from http.client import HTTPConnection

from django.db import connection
from django.test import Client
from django.test.utils import CaptureQueriesContext
from django.urls import NoReverseMatch, reverse

from bench.peers import CONDITIONS, NEAREST
from bench.server import Server
from bench.table import Table
from bench.visitors import key_for, signed_in, with_token
from bench.world.people import People
from fabriek.access.models import Application
from fabriek.allocations.models import Allocation
from fabriek.cases.models import Case
from fabriek.datasets.models import Dataset
from fabriek.people.models import Person
from fabriek.registry.models import Model
from fabriek.runs.models import Run

WARM_UP = 5
REQUESTS = 60
LONGEST_S = 6.0  # a page that is slow is asked less often
MOST_QUERIES = 10
PAGE_CPU_MS = 10.0
API_100_CPU_MS = 15.0
HEADER = ("who", "page", "queries", "p50 ms", "p95 ms", "CPU ms", "KiB", "goal", "met",
          "nearest peer: queries / CPU ms")  # fmt: skip


@dataclass(frozen=True, kw_only=True, slots=True)
class Page:
    name: str
    url: str
    peer: str = ""
    cpu_ms: float = PAGE_CPU_MS


@dataclass(frozen=True, kw_only=True, slots=True)
class Measured:
    queries: int
    p50_ms: float
    p95_ms: float
    cpu_ms: float
    kib: float


class Unexpected(Exception):
    """The page did not answer 200."""


def measure(server: Server, people: People) -> Table:
    rows: list[tuple[object, ...]] = []
    for who, headers, pages in _visits(people):
        for page in pages:
            rows.append(_row(server, who, page, headers))
            print(".", end="", flush=True)
    print()
    return Table(
        title="Pages and API lists",
        header=HEADER,
        rows=rows,
        note=CONDITIONS,
        ok=all(row[2] is not None for row in rows),
    )


def _row(server: Server, who: str, page: Page, headers: dict[str, str]) -> tuple[object, ...]:
    goal = f"{MOST_QUERIES} / {page.cpu_ms:.0f}"
    peer = NEAREST.get(page.peer, "")
    try:
        found = _measured(server, page.url, headers)
    except Unexpected as why:
        return (who, page.name, None, None, None, None, None, goal, str(why), peer)
    met = found.queries <= MOST_QUERIES and found.cpu_ms <= page.cpu_ms
    return (who, page.name, found.queries, found.p50_ms, found.p95_ms, found.cpu_ms, found.kib,
            goal, "yes" if met else "NO", peer)  # fmt: skip


def _measured(server: Server, url: str, headers: dict[str, str]) -> Measured:
    if not url:
        raise Unexpected("no such page")
    queries = _queries(url, headers)
    walls: list[float] = []
    http = server.connect()
    for _ in range(WARM_UP):
        size = _get(http, url, headers)
    before, end = server.cpu_s(), time.monotonic() + LONGEST_S
    while len(walls) < REQUESTS and time.monotonic() < end:
        start = time.perf_counter()
        _get(http, url, headers)
        walls.append(time.perf_counter() - start)
    cpu_ms = 1000 * (server.cpu_s() - before) / len(walls)
    http.close()
    return Measured(
        queries=queries,
        p50_ms=1000 * statistics.median(walls),
        p95_ms=1000 * sorted(walls)[int(len(walls) * 0.95)],
        cpu_ms=cpu_ms,
        kib=size / 1024,
    )


def _get(http: HTTPConnection, url: str, headers: dict[str, str]) -> int:
    http.request("GET", url, headers=headers)
    answer = http.getresponse()
    size = len(answer.read())
    if answer.status != 200:
        raise Unexpected(f"answered {answer.status}")
    return size


def _queries(url: str, headers: dict[str, str]) -> int:
    """Count them in this process, on the same database; the first request only warms up."""
    client = Client(headers={"Host": "localhost"} | headers, raise_request_exception=False)
    client.get(url)
    with CaptureQueriesContext(connection) as captured:
        client.get(url)
    return len(captured)


# --- what is looked at -------------------------------------------------------------------
def _visits(people: People) -> Iterable[tuple[str, dict[str, str], list[Page]]]:
    applicant, staff = people.applicant, people.staff
    yield "applicant", signed_in(applicant), _pages(applicant)
    yield "staff", signed_in(staff), _pages(staff)
    yield "assessor", signed_in(people.assessors[0]), _assessing()
    yield "funder", signed_in(people.funder), _reports("state")
    yield "applicant (API)", with_token(key_for(applicant)), _api(applicant)
    yield "staff (API)", with_token(key_for(staff)), _api(staff)


def _pages(person: Person) -> list[Page]:
    things = _things(person)
    run_of = f"{_url('runs:list')}?q={things['case']}"
    pages = [
        Page(name="home", url=_url("pages:home"), peer="home"),
        Page(name="cases", url=_url("cases:list"), peer="cases"),
        Page(name="case", url=_url("cases:detail", things["case"]), peer="case"),
        Page(name="applications", url=_url("access:list"), peer="applications"),
        Page(
            name="application",
            url=_url("access:detail", things["application"]),
            peer="application",
        ),
        Page(name="allocations", url=_url("allocations:list"), peer="allocations"),
        Page(
            name="allocation",
            url=_url("allocations:detail", things["allocation"]),
            peer="allocation",
        ),
        Page(name="runs", url=_url("runs:list")),
        Page(name="runs of a case", url=run_of),
        Page(name="run, ended", url=_url("runs:detail", things["run"])),
        Page(name="run, alive", url=_url("runs:detail", things["living"])),
        Page(name="models", url=_url("registry:list")),
        Page(name="model", url=_url("registry:detail", things["model"])),
        Page(name="data", url=_url("datasets:list")),
    ]
    if things["dataset"]:  # staff see no data of companies
        pages.append(Page(name="dataset", url=_url("datasets:detail", things["dataset"])))
    return pages


def _things(person: Person) -> dict[str, str]:
    """Choose one of each that this person sees, with something to show."""
    runs = Run.objects.visible_to(person).filter(metrics__isnull=False).order_by("pk")
    return {
        "case": _first(Case.objects.visible_to(person).order_by("pk"), "code"),
        "application": _first(
            Application.objects.visible_to(person).filter(state="accepted").order_by("pk"),
            "code",
        ),
        "allocation": _first(
            Allocation.objects.visible_to(person).order_by("ends_on", "pk").reverse(), "account"
        ),
        "run": _first(runs.filter(state="succeeded"), "code"),
        "living": _first(runs.filter(state="running"), "code"),
        "model": _first(Model.objects.visible_to(person).order_by("run_id", "pk"), "code"),
        "dataset": _first(Dataset.objects.visible_to(person).order_by("pk"), "code"),
    }


def _assessing() -> list[Page]:
    waiting = Application.objects.filter(state="eligible").order_by("pk")
    return [
        Page(name="home", url=_url("pages:home"), peer="home"),
        Page(name="applications", url=_url("access:list"), peer="applications"),
        Page(
            name="application to assess",
            url=_url("access:detail", _first(waiting, "code")),
            peer="application",
        ),
    ]


def _reports(funder: str) -> list[Page]:
    return [
        Page(name="report of a funder", url=_url("reports:funder", funder), peer="report"),
    ]


def _api(person: Person) -> list[Page]:
    case = _first(Case.objects.visible_to(person).order_by("pk"), "code")
    return [
        Page(name="/api/cases/", url="/api/cases/", peer="api-cases"),
        Page(name="/api/cases/CODE", url=f"/api/cases/{case}", peer="api-case"),
        Page(
            name="/api/allocations/?size=100",
            url="/api/allocations/?size=100",
            peer="api-100",
            cpu_ms=API_100_CPU_MS,
        ),
        Page(name="/api/runs/?size=100", url="/api/runs/?size=100", cpu_ms=API_100_CPU_MS),
        Page(name="/api/applications/", url="/api/applications/"),
        Page(name="/api/datasets/", url="/api/datasets/"),
        Page(name="/api/models/", url="/api/models/"),
    ]


def _first(rows, column: str) -> str:
    return rows.values_list(column, flat=True).first() or ""


def _url(name: str, *words: str) -> str:
    try:
        return reverse(name, args=words)
    except NoReverseMatch:
        return ""
