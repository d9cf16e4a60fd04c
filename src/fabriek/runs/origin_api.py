"""The API on what a dataset was made of: beside that of datasets, which come before runs."""

from datetime import datetime

from django.shortcuts import get_object_or_404
from ninja import Router, Schema

from fabriek.agreements.inheritance import made_under
from fabriek.datasets.models import Dataset
from fabriek.people.http import SignedIn
from fabriek.runs import saved

router = Router(tags=["datasets"])
RUNS_MAX = 100


class MakerOut(Schema):
    """`inputs`: references such as `D26-0001@2`; empty where you may not know which."""

    revision: int
    run: str
    recipe: str
    saved_at: datetime
    inputs: list[str]


class OriginOut(Schema):
    """`runs`: the last hundred whose answers are in it. The others of its files were sent.

    `agreements`: on data of others that it was made of, by which it is used as that data is;
    `agreements_of_others` counts those that you are no party to.
    """

    runs: list[MakerOut]
    agreements: list[str]
    agreements_of_others: int


@router.get("/{code}/origin", response=OriginOut)
def origin(request: SignedIn, code: str) -> OriginOut:
    """Get what a dataset of yours was made of, as far as the factory knows."""
    rows = Dataset.objects.visible_to(request.user)
    dataset = get_object_or_404(rows.select_related("case", "repository"), code=code)
    bound = made_under(dataset.repository, request.user)
    makers = saved.makers(dataset, request.user, most=RUNS_MAX)
    return OriginOut(
        runs=[_out(one) for one in makers],
        agreements=list(bound.codes) if bound else [],
        agreements_of_others=bound.others if bound else 0,
    )


def _out(one: saved.Maker) -> MakerOut:
    return MakerOut(
        revision=one.saved.revision or 0,
        run=one.saved.run.code,
        recipe=one.saved.run.recipe,
        saved_at=one.saved_at,
        inputs=list(one.inputs),
    )
