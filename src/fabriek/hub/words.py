"""The words of the Hub for what we have: repositories, files, commits."""

import hashlib
from datetime import UTC, datetime
from typing import Any

from fabriek.hub.queries import Entry, Point, path_of
from fabriek.store.models import Repository, Revision

POINTER_BYTES = 134  # what a pointer of git LFS takes; nobody reads it


def moment(at: datetime) -> str:
    return at.astimezone(UTC).isoformat(timespec="milliseconds").replace("+00:00", "Z")


def repository(found: Repository) -> dict[str, Any]:
    """Tell what a list tells of it."""
    told = {
        "_id": f"{found.pk:024x}",
        "id": found.repo_id,
        "author": found.namespace,
        "private": not found.is_open,
        "gated": False,
        "disabled": False,
        "tags": [],
        "downloads": 0,
        "likes": 0,
        "createdAt": moment(found.created_at),
        "lastModified": moment(found.created_at),
    }
    if found.kind == Repository.Kind.MODEL:
        told["modelId"] = found.repo_id
    return told


def info(found: Repository, point: Point, entries: list[Entry], *, blobs: bool) -> object:
    """Tell everything that a client asks before it fetches or writes."""
    told = repository(found)
    told["sha"] = point.commit_id
    told["usedStorage"] = sum(entry.size_bytes for entry in entries)
    if point.revision:
        told["lastModified"] = moment(point.revision.created_at)
    told["siblings"] = [_sibling(entry, blobs=blobs) for entry in entries]
    return told


def in_tree(entry: Entry | str, point: Point) -> dict[str, Any]:
    """Tell of a file or a folder."""
    if isinstance(entry, str):
        return {"type": "directory", "oid": _folder(entry, point), "size": 0, "path": entry}
    told: dict[str, Any] = {
        "type": "file",
        "oid": entry.sha1 or _pointer(entry),
        "size": entry.size_bytes,
        "path": entry.path,
    }
    if not entry.sha1:
        told["lfs"] = _lfs(entry) | {"oid": entry.sha256}
    return told


def expanded(entry: Entry | str, point: Point) -> dict[str, Any]:
    """Tell the last commit too: that of the revision, as ours are whole lists of files."""
    told = in_tree(entry, point)
    if point.revision:
        told["lastCommit"] = {
            "id": point.commit_id,
            "title": title_of(point.revision),
            "date": moment(point.revision.created_at),
        }
    return told


def commit(revision: Revision) -> dict[str, Any]:
    author = revision.author
    rest = revision.message.partition("\n")[2].strip()
    return {
        "id": revision.commit_id,
        "title": title_of(revision),
        "message": rest,
        "date": moment(revision.created_at),
        "authors": [{"user": str(author)}] if author else [],
    }


def title_of(revision: Revision) -> str:
    return revision.message.partition("\n")[0]


def folders_of(entries: list[Entry], *, after: str, folder: str) -> list[Entry | str]:
    """Put each folder before the first of its files; `after` is the last of the page before."""
    mixed: list[Entry | str] = []
    before = after
    for entry in entries:
        mixed += (path for path in _parents(entry.path, folder) if not _inside(before, path))
        mixed.append(entry)
        before = path_of(entry)
    return mixed


def _parents(path: str, folder: str) -> list[str]:
    parts = path.split("/")
    parents = ["/".join(parts[:count]) for count in range(1, len(parts))]
    return [parent for parent in parents if len(parent) > len(folder)]


def _inside(path: str, folder: str) -> bool:
    return path.startswith(f"{folder}/")


def _sibling(entry: Entry, *, blobs: bool) -> dict[str, Any]:
    told: dict[str, Any] = {"rfilename": entry.path}
    if blobs:
        told |= {"size": entry.size_bytes, "blobId": entry.sha1 or _pointer(entry)}
        if not entry.sha1:
            told["lfs"] = _lfs(entry) | {"sha256": entry.sha256}
    return told


def _lfs(entry: Entry) -> dict[str, Any]:
    return {"size": entry.size_bytes, "pointerSize": POINTER_BYTES}


def _pointer(entry: Entry) -> str:
    """Name the pointer that git would keep in place of a large file."""
    text = (
        "version https://git-lfs.github.com/spec/v1\n"
        f"oid sha256:{entry.sha256}\nsize {entry.size_bytes}\n"
    ).encode()
    return hashlib.sha1(b"blob %d\0" % len(text) + text, usedforsecurity=False).hexdigest()


def _folder(path: str, point: Point) -> str:
    text = f"tree {point.commit_id} {path}"
    return hashlib.sha1(text.encode(), usedforsecurity=False).hexdigest()
