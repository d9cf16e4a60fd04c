"""All that everybody could read of an open model beside its weights, with where it stands."""

from collections.abc import Iterator
from dataclasses import dataclass

from django.db.models import Min, Q, QuerySet
from django.utils.translation import gettext as _

from fabriek.registry.models import Model
from fabriek.store import front_matter
from fabriek.store.models import Blob, File, Ref, Revision
from fabriek.store.paths import shortened
from fabriek.store.queries import the_store

LONGEST_BYTES = 2**20
# Lists of all words there are: each name of one word stands there by chance.
WORD_LISTS = ("tokenizer.json", "vocab.json", "vocab.txt", "merges.txt", "added_tokens.json")
# Of one model; somebody waits for it.
PATHS_MAX, FILES_MAX, BYTES_MAX = 20_000, 2000, 16 * 2**20
WIDE = ("utf-16", (b"\xff\xfe", b"\xfe\xff"))


@dataclass(frozen=True, kw_only=True, slots=True)
class Shown:
    """`where`: in words. `words`: None where there is too much to look at."""

    where: str
    words: str | None
    is_readme: bool = False


def of(model: Model, *, since: int = 0) -> Iterator[Shown]:
    """Give them all, or what its revisions from that number on brought."""
    yield from _messages(model, since)
    if not since:
        yield from _refs(model)
    yield from _paths(model, since)
    yield from _texts(model, since)


def _messages(model: Model, since: int) -> Iterator[Shown]:
    rows = Revision.objects.filter(repository=model.repository_id, number__gte=since)
    for number, message in rows.values_list("number", "message"):
        said = _("the message of revision %(number)d") % {"number": number}
        yield Shown(where=said, words=message)


def _refs(model: Model) -> Iterator[Shown]:
    rows = Ref.objects.filter(repository=model.repository_id)
    for name, message in rows.values_list("name", "message"):
        said = _("the branch or tag “%(name)s”") % {"name": name}
        yield Shown(where=said, words=name)
        yield Shown(where=said, words=message)


def _paths(model: Model, since: int) -> Iterator[Shown]:
    rows = _brought(model, since)
    if since:
        rows = rows.exclude(path__in=_before(model, since).values("path"))
    found = list(rows.values_list("path").distinct()[: PATHS_MAX + 1])
    if len(found) > PATHS_MAX:
        yield Shown(where=_("more names of files than are looked at"), words=None)
    for (path,) in found:
        said = _("the name of the file “%(path)s”") % {"path": shortened(path)}
        yield Shown(where=said, words=path)


def _texts(model: Model, since: int) -> Iterator[Shown]:
    rows = _brought(model, since)
    if since:
        rows = rows.exclude(blob__in=_before(model, since).values("blob"))
    for name in WORD_LISTS:
        rows = rows.exclude(Q(path=name) | Q(path__endswith=f"/{name}"))
    small = Q(blob__size_bytes__lte=LONGEST_BYTES)
    told = rows.filter(small | Q(path__iendswith=".md") | Q(path__iendswith=".txt"))
    first = told.values("path", "blob").annotate(number=Min("revision__number"))
    found = list(first.order_by("path", "-number")[: FILES_MAX + 1])
    blobs = Blob.objects.in_bulk({row["blob"] for row in found})
    left = BYTES_MAX
    for row in found:
        blob = blobs[row["blob"]]
        left -= min(blob.size_bytes, LONGEST_BYTES)
        is_readme = row["path"] == front_matter.README
        path, number = shortened(row["path"]), row["number"]
        said = _("%(path)s, revision %(number)d") % {"path": path, "number": number}
        yield Shown(where=said, words=_read(blob), is_readme=is_readme)
        if left < 0:
            break
    if left < 0 or len(found) > FILES_MAX:
        yield Shown(where=_("more small files than are looked at"), words=None)


def _brought(model: Model, since: int) -> QuerySet[File]:
    rows = File.objects.filter(
        revision__repository=model.repository_id, revision__number__gte=since
    )
    return rows.order_by()


def _before(model: Model, since: int) -> QuerySet[File]:
    rows = File.objects.filter(
        revision__repository=model.repository_id, revision__number__lt=since
    )
    return rows.order_by()


def _read(blob: Blob) -> str | None:
    if blob.size_bytes > LONGEST_BYTES:
        return None
    with the_store().open(blob) as file:
        content: bytes = file.read(LONGEST_BYTES)
    name, marks = WIDE
    return content.decode(name if content.startswith(marks) else "utf-8", "replace")
