"""Who is calling, and which run they mean: asked first at every route.

A number that nobody has and one of somebody else's run are told apart nowhere.
"""

import base64
import re
from dataclasses import dataclass
from typing import Any

from django.db.models import QuerySet
from django.http import HttpRequest
from django.utils.translation import gettext as _

from fabriek.cases.models import Case
from fabriek.cases.states import CaseState
from fabriek.kernel.errors import WrongState
from fabriek.kernel.prepared import Prepared, Statement
from fabriek.people import tokens
from fabriek.people.models import Person, Scope, Token
from fabriek.people.tokens import Remembered
from fabriek.runs import hub_keys
from fabriek.runs.models import Run
from fabriek.tracking import refusals
from fabriek.tracking.models import Tally, Tracked

UUID = re.compile(r"[0-9a-f]{32}")
KEY = "fabriek-{}"  # how the key of a run of the factory is made of its number


@dataclass(frozen=True, kw_only=True, slots=True)
class Caller:
    """A person with a token, or the job of a run, which works for who asked for the run."""

    person: Person
    token: Token | None = None
    run: Run | None = None

    @property
    def number(self) -> str:
        """Give the number of the run that a job belongs to."""
        return number_of(self.run) if self.run else ""

    def require_write(self) -> None:
        """Refuse a token that may only look. Raises: Forbidden."""
        if self.token and self.token.scope == Scope.READ:
            raise refusals.Forbidden(
                _("This token may only look. Make one that may do everything, and use that."),
                code="token_scope",
            )

    def require_person(self) -> None:
        """Refuse the job of a run. Raises: Forbidden."""
        if self.run:
            raise refusals.Forbidden(
                _("The job of a run writes to its own run only: set MLFLOW_RUN_ID to "
                  "%(number)s, and write files to the folder outputs.")
                % {"number": self.number},
                code="job_only_its_run",
            )  # fmt: skip


@dataclass(frozen=True, kw_only=True, slots=True)
class Found:
    """A run: of somebody's own code (`tracked` only), or of the factory (`run`)."""

    tracked: Tracked | None
    tally: Tally | None = None
    run: Run | None = None

    @property
    def number(self) -> str:
        if self.run:
            return number_of(self.run)
        return self.tracked.uuid if self.tracked else ""

    @property
    def case(self) -> Case:
        return self.run.case if self.run else self.tracked.case  # type: ignore[union-attr]


def number_of(run: Run) -> str:
    """Give the number by which MLflow knows a run of the factory."""
    return run.key.removeprefix(KEY.format(""))


def caller(request: HttpRequest) -> Caller:
    """Tell who calls. Raises: NotSignedIn."""
    key = _key_of(request)
    if key.startswith(hub_keys.PREFIX):
        run = hub_keys.find(key)
        if run is None:
            raise refusals.wrong_token()
        return Caller(person=run.asked_by, run=run)
    token = tokens.find_and_remember(key)
    if token is None:
        raise refusals.wrong_token()
    return Caller(person=token.person, token=token)


def remembered(request: HttpRequest) -> Remembered | None:
    """Tell whose token this was when it was last found, which makes nobody a caller.

    Raises: NotSignedIn, when there is none.
    """
    return tokens.remembered(_key_of(request))


def _key_of(request: HttpRequest) -> str:
    scheme, _space, key = request.META.get("HTTP_AUTHORIZATION", "").partition(" ")
    if not key:
        raise refusals.no_token()
    if scheme.lower() == "basic":  # MLFLOW_TRACKING_PASSWORD: the token, whatever the name
        return _password(key)
    return key.strip() if scheme.lower() == "bearer" else ""


def _password(told: str) -> str:
    try:
        name_and_password = base64.b64decode(told.strip(), validate=True).decode()
    except ValueError:
        return ""
    return name_and_password.partition(":")[2]


def readable(who: Caller, number: str) -> Found:
    """Find a run of the caller's own cases; for a job its own run only. Raises: Absent."""
    if not UUID.fullmatch(number):
        raise refusals.no_run()
    if who.run:
        return _own(who.run, number)
    found = _tracked(who.person, number)
    if found is None or (found.tracked and found.tracked.run_id):
        return _of_the_factory(who.person, number)
    return found


def writable(who: Caller, number: str) -> Found:
    """Find a run that the caller may write to now.

    Raises: Absent; Forbidden, for a run of the factory, to which only its job writes;
    WrongState, when the case is not open; Wrong, when the run was deleted.
    """
    who.require_write()
    found = readable(who, number)
    if found.run and not who.run:
        raise refusals.Forbidden(
            _("%(run)s is a run of the factory: only its own job writes to it. Make a run of "
              "your own with mlflow.start_run.")
            % {"run": found.run},
            code="run_of_the_factory",
        )  # fmt: skip
    require_open(found.case)
    if found.tracked and found.tracked.deleted_at:
        raise refusals.Wrong(
            _("This run was deleted. Restore it first, and write to it then."), code="deleted"
        )
    return found


def written_at_once(token: Token | None, number: str) -> Statement | None:
    """Give the SQL that finds the key of the same run or nothing, where that is easily said.

    Whoever finds nothing by it asks `writable`, which says why.
    """
    if token is None or token.scope == Scope.READ or not UUID.fullmatch(number):
        return None
    organisations = tuple(sorted(token.person.organisation_ids))
    return _OPEN.statement(number, organisations) if organisations else None


def require_open(case: Case) -> None:
    if case.state != CaseState.OPEN:
        raise WrongState(
            _("Runs are written while the case is open, and %(case)s is not.") % {"case": case}
        )


def _own(run: Run, number: str) -> Found:
    if number != number_of(run):
        raise refusals.no_run()
    return _with_what_was_told(run)


def _of_the_factory(person: Person, number: str) -> Found:
    rows = Run.objects.seen_inside_by(person).filter(key=KEY.format(number))
    run = rows.select_related("case").first()
    if run is None:
        raise refusals.no_run()
    return _with_what_was_told(run)


def _with_what_was_told(run: Run) -> Found:
    tally = Tally.objects.select_related("tracked").filter(tracked__run=run).first()
    return Found(run=run, tracked=tally.tracked if tally else None, tally=tally)


# --- what every call asks, written once -------------------------------------------------
def _columns(model: Any, *, without: frozenset[str] = frozenset()) -> list[str]:  # noqa: ANN401
    names = [field.attname for field in model._meta.concrete_fields]
    return [name for name in names if name not in without]


# The long texts stay in the database: whoever wants them asks for them.
TRACKED = _columns(Tracked, without=frozenset({"params", "tags"}))
TALLY, CASE = _columns(Tally), _columns(Case)


def _tracked(person: Person, number: str) -> Found | None:
    organisations = tuple(sorted(person.organisation_ids))
    rows = _INSIDE.rows(number, organisations) if organisations else []
    if not rows:
        return None
    row, end = rows[0], len(TRACKED) + len(TALLY)
    tracked = Tracked.from_db("default", TRACKED, row[: len(TRACKED)])
    tracked.case = Case.from_db("default", CASE, row[end:])
    return Found(
        tracked=tracked, tally=Tally.from_db("default", TALLY, row[len(TRACKED) : end])
    )


def _inside(number: str, organisations: tuple[int, ...]) -> "QuerySet[Any, Any]":
    rows = _numbered(number, organisations)
    names = [f"tally__{name}" for name in TALLY] + [f"case__{name}" for name in CASE]
    return rows.values_list(*TRACKED, *names)[:1]


def _open(number: str, organisations: tuple[int, ...]) -> "QuerySet[Any, Any]":
    rows = _numbered(number, organisations).filter(run=None, deleted_at=None)
    return rows.filter(case__state=CaseState.OPEN).values_list("pk")


def _numbered(number: str, organisations: tuple[int, ...]) -> "QuerySet[Tracked]":
    asking = Person()
    asking.roles = dict.fromkeys(organisations, "")
    return Tracked.objects.inside(asking).filter(uuid=number).order_by()


_INSIDE, _OPEN = Prepared(_inside), Prepared(_open)
