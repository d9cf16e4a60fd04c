"""Coming in to read: who, of which repository, at which revision, in that order."""

from dataclasses import dataclass

from django.http import HttpRequest

from fabriek.agreements.policy import Moment
from fabriek.hub import doors, queries, refusals
from fabriek.hub.doors import Door
from fabriek.hub.queries import Point


@dataclass(frozen=True, kw_only=True, slots=True)
class Reading:
    door: Door
    point: Point
    path: str


def at(request: HttpRequest, rest: str, *, kind: str, namespace: str, name: str) -> Reading:
    """Let somebody in who may read; `rest` is a revision, and a path behind it.

    What is read is written down with its revision, so that is found first. Whoever may not
    read hears of that, and not whether there is such a revision.

    Raises: NotSignedIn, RepoNotFound, Gated, RevisionNotFound.
    """
    return _inside(doors.seen(request, kind, namespace, name), rest, is_file=False)


def at_file(
    request: HttpRequest, rest: str, *, kind: str, namespace: str, name: str
) -> Reading:
    """Let them in as `at` does, where the path is one of a file, which is read along."""
    return _inside(doors.seen(request, kind, namespace, name), rest, is_file=True)


def _inside(door: Door, rest: str, *, is_file: bool) -> Reading:
    try:
        point, path = queries.point_and_path(door.repository, rest, is_file=is_file)
    except refusals.RevisionNotFound:
        doors.require(door, Moment.READ)
        raise
    doors.require(door, Moment.READ, revision=point.revision)
    return Reading(door=door, point=queries.kept(point), path=path)
