"""The API by which a lead of the owner sees which revisions could go, and lets them go."""

from ninja import Path, Query, Router

from fabriek.datasets import finding, retention
from fabriek.datasets.retention_shapes import DropIn, PlanOut, WhichIn, told
from fabriek.people.http import SignedIn

router = Router(tags=["datasets"])


@router.get("", response=PlanOut)
def plan(request: SignedIn, code: Path[str], asked: Query[WhichIn]) -> PlanOut:
    """See which revisions could go, and why the others stay. Changes nothing."""
    dataset = finding.dataset(code, request.user)
    return told(retention.plan(dataset, asked.wish, by=request.user))


@router.post("", response=PlanOut)
def drop(request: SignedIn, code: Path[str], body: DropIn) -> PlanOut:
    """Remove what nothing holds; gives what was done. A revision keeps its line in the list."""
    dataset = finding.dataset(code, request.user)
    return told(retention.drop(dataset, body.named, by=request.user, why=body.why))
