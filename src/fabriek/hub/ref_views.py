"""Branches, tags and the history of a repository."""

from django.http import HttpRequest, HttpResponse

from fabriek.hub import doors, queries, ref_actions, words
from fabriek.hub.answers import json_of, said, view
from fabriek.hub.repo_views import next_page
from fabriek.store.models import MAIN, Ref, Revision

PAGE = 100


@view("GET")
def refs(request: HttpRequest, **where: str) -> HttpResponse:
    door = doors.readable(request, **where)
    found = list(door.repository.refs.select_related("revision").order_by("name"))
    newest = queries.branches(door.repository, found)
    told = {
        "branches": [_ref(name, f"refs/heads/{name}", id_) for name, id_ in newest.items()],
        "tags": [
            _ref(ref.name, f"refs/tags/{ref.name}", ref.revision.commit_id)
            for ref in found
            if ref.kind == Ref.Kind.TAG
        ],
        "converts": [],
        "pullRequests": [],
    }
    return said(told)


@view("GET")
def commits(request: HttpRequest, *, revision: str, **where: str) -> HttpResponse:
    door = doors.readable(request, **where)
    keys = queries.history(queries.point(door.repository, revision))
    cursor = request.GET.get("cursor", "")
    start = int(cursor) if cursor.isdecimal() and len(cursor) < 10 else 0  # noqa: PLR2004
    some = Revision.objects.select_related("author").in_bulk(keys[start : start + PAGE])
    response = said([words.commit(some[key]) for key in keys[start : start + PAGE]])
    if start + PAGE < len(keys):
        next_page(request, response, cursor=str(start + PAGE))
    return response


@view("POST", "DELETE")
def branch(request: HttpRequest, *, branch: str, **where: str) -> HttpResponse:
    door = doors.writable(request, **where)
    if request.method == "DELETE":
        ref_actions.delete_branch(door.repository, branch, by=door.person)
    else:
        start = json_of(request).get("startingPoint")
        ref_actions.create_branch(
            door.repository, branch, start=str(start or MAIN), by=door.person
        )
    return said({"success": True})


@view("POST", "DELETE")
def tag(request: HttpRequest, *, word: str, **where: str) -> HttpResponse:
    """Make a tag at the revision `word`, or remove the tag `word`."""
    door = doors.writable(request, **where)
    if request.method == "DELETE":
        ref_actions.delete_tag(door.repository, word, by=door.person)
    else:
        asked = json_of(request)
        wish = ref_actions.Tag(
            name=str(asked.get("tag") or ""), at=word, message=str(asked.get("message") or "")
        )
        ref_actions.create_tag(door.repository, wish, by=door.person)
    return said({"success": True})


def _ref(name: str, ref: str, commit_id: str) -> dict[str, str]:
    return {"name": name, "ref": ref, "targetCommit": commit_id}
