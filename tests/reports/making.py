"""A small factory with history: two funders, and what was granted, used and lost."""

from datetime import datetime
from zoneinfo import ZoneInfo

from fabriek.access.models import Decision
from fabriek.access.states import ApplicationState
from fabriek.allocations.models import Allocation, Funder, Grant, Line
from tests.factories import a_case, a_mode, a_share, an_application, an_organisation, staff

HOUR = 3600
AMSTERDAM = ZoneInfo("Europe/Amsterdam")


def moment(text):
    """Read `2026-03-02 10:00` as a moment in Amsterdam."""
    return datetime.fromisoformat(text).replace(tzinfo=AMSTERDAM)


def two_funders():
    """Give the State's share, which is state aid, and the Union's, which is not."""
    state = Funder.objects.create(code="state", name_nl="Het Rijk", name_en="The State")
    union = Funder.objects.create(code="eurohpc", name_nl="EuroHPC", name_en="EuroHPC")
    national = a_share("nl", funder=state, target_percent=40, aid_ceiling_eur_cents=3000_00)
    european = a_share("eu", funder=union, target_percent=60, is_state_aid=False)
    return national, european


def an_organisation_of(registered, **fields):
    return an_organisation(registered_at=moment(registered), **fields)


def a_decided(case, share, *, submitted, due, decided, is_award=True, gpu_hours=100):
    """Make an application through a mode of `share`, with its decision."""
    application = an_application(
        case=case,
        mode=a_mode(f"mode-{share.code}", share=share.code),
        state=ApplicationState.ACCEPTED if is_award else ApplicationState.REFUSED,
        submitted_at=moment(submitted),
        due_at=moment(due),
    )
    return Decision.objects.create(
        application=application,
        is_award=is_award,
        gpu_hours=gpu_hours,
        months=3,
        reasons="A good plan.",
        decided_by=staff(),
        decided_at=moment(decided),
    )


def opened(decision, share, *, at, aid_eur_cents=0, **lines):
    """Open an award: its grant, and ledger lines such as `spend=40` (hours) a day later."""
    allocation = Allocation.objects.create(
        account=decision.application.code.lower(),
        decision=decision,
        case=decision.application.case,
        starts_on="2026-01-01",
        ends_on="2026-12-31",
        opened_at=moment(at),
    )
    granted(allocation, share, at=at, hours=decision.gpu_hours, aid_eur_cents=aid_eur_cents)
    for kind, hours in lines.items():
        a_line(allocation, share, kind, hours, at=at)
    return allocation


def granted(allocation, share, *, at, hours, aid_eur_cents=0):
    Grant.objects.create(
        allocation=allocation,
        share=share,
        organisation=allocation.case.organisation,
        gpu_seconds=hours * HOUR,
        aid_eur_cents=aid_eur_cents,
        granted_at=moment(at),
    )
    a_line(allocation, share, "grant", hours, at=at)


def a_line(allocation, share, kind, hours, *, at):
    Line.objects.create(
        allocation=allocation,
        key=f"{kind}:{Line.objects.count()}",
        kind=kind,
        share=share,
        gpu_seconds=hours * HOUR,
        at=moment(at),
    )


def an_award(share, *, case=None, at="2026-03-04 12:00", **lines):
    """Make an open allocation of a case of its own, granted in March 2026."""
    case = case or a_case(proposed_at=moment("2026-02-02 10:00"))
    decision = a_decided(
        case, share, submitted="2026-03-02 10:00", due="2026-03-04 17:00", decided=at
    )
    return opened(decision, share, at=at, **lines)
