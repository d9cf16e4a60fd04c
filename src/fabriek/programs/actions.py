"""Send code: the files of a folder become a revision, which runs name and nobody changes."""

from dataclasses import dataclass
from itertools import chain
from typing import BinaryIO

from django.conf import settings
from django.db import transaction
from django.utils.translation import gettext as _
from django.utils.translation import gettext_lazy

from fabriek.agreements import descent
from fabriek.cases.models import Case
from fabriek.kernel import journal, text
from fabriek.kernel.codes import give_code
from fabriek.kernel.errors import Invalid
from fabriek.people.models import Person
from fabriek.programs import archive, git_archive, queries
from fabriek.programs.models import CODE_LETTER, Sent
from fabriek.runs import own_code
from fabriek.runs import rules as run_rules
from fabriek.store import actions as store
from fabriek.store import queries as stored
from fabriek.store.many import store_many
from fabriek.store.models import Repository, Revision
from fabriek.store.noting import Stored
from fabriek_recipes.script.knobs import RECIPE

NAME_CHARACTERS = 80

journal.describe({"programs.send": gettext_lazy("sent code to run")})


@dataclass(frozen=True, kw_only=True, slots=True)
class Sending:
    """What somebody sends. `archive`: a .zip or .tar.gz that can be read from its beginning.

    `commit`, `has_changes`: as `models.Sent`; without, what `git archive` says in the archive.
    `is_plain`: names stay as they are; else one
    folder around all of it is taken away, as tools that pack put one there.
    """

    case: Case
    name: str
    archive: BinaryIO
    commit: str = ""
    has_changes: bool = False
    is_plain: bool = False


def require_send(case: Case, by: Person) -> None:
    """See that this person may send at all, before a byte is read.

    Raises: NotAllowed, WrongState.
    """
    run_rules.require_ask(by, case)
    own_code.require_offered(RECIPE)


def send(sending: Sending, *, by: Person) -> Revision:
    """Keep what was sent as the newest revision of the code of this name.

    The same files again are the same revision, so that sending twice is harmless.

    Raises:
        NotAllowed, WrongState: `by` may not run for this case, or own code is not run here.
        Invalid, TooLarge, StorageFull: the archive, a name in it, or how much it is.
    """
    require_send(sending.case, by)
    name = _name(sending)
    commit = sending.commit.strip().lower() or git_archive.commit_of(sending.archive)
    known = Sent(commit=commit, has_changes=sending.has_changes)
    text.check(known, ["commit"])
    repository = _repository(sending.case, name, by=by)
    files = _taken_in(repository, sending, by=by)
    hashes = {path: blob.sha256 for path, blob in files.items()}
    inside = descent.looked_into(repository, hashes, by=by)
    with transaction.atomic():
        saved = _saved(repository, files, message=name, by=by)
        # Copies of data that others lent bind the code too.
        descent.pass_terms_on(saved, hashes, by=by, inside=inside)
        _note(saved, known)
        journal.record("programs.send", repository, by=by, number=saved.number, note=name)
    return saved


def _name(sending: Sending) -> str:
    name = text.line(sending.name)
    if not name or not name.isprintable() or len(name) > NAME_CHARACTERS:
        said = _("Give your code a name, of at most %(most)d characters.")
        said %= {"most": NAME_CHARACTERS}
        raise Invalid(said, code="bad_name", fields={"name": said})
    return name


@transaction.atomic
def _repository(case: Case, name: str, *, by: Person) -> Repository:
    # Two who send the same name for the first time wait for each other here.
    Case.objects.select_for_update(no_key=True).get(pk=case.pk)
    if known := queries.named(case, name):
        return known
    repository = store.create_repository(
        kind=Repository.Kind.CODE,
        case=case,
        organisation=case.organisation,
        is_open=False,
        by=by,
    )
    code = give_code(repository, CODE_LETTER)
    store.name_repository(repository, code=code, title=name)
    return repository


def _taken_in(repository: Repository, sending: Sending, *, by: Person) -> dict[str, Stored]:
    limits = archive.Limits(size_bytes=settings.CODE_LIMIT_BYTES)
    found = archive.entries(sending.archive, limits)
    first = next(found, None)
    if first is None:
        raise Invalid(
            _("There is no file in what you sent. Pack the folder of your code, and send it."),
            code="no_files",
        )
    files = store_many(repository, chain([first], found), by=by)
    top = "" if sending.is_plain else archive.top_folder(files)
    return {path.removeprefix(top): blob for path, blob in files.items()}


def _saved(
    repository: Repository, files: dict[str, Stored], *, message: str, by: Person
) -> Revision:
    gone = stored.listing(stored.latest(repository)).keys() - files.keys()
    change = store.Change(files=files, message=message, delete=gone)
    return store.save(repository, change, by=by)


def _note(revision: Revision, known: Sent) -> None:
    """Remember from where it came; the same files of a clean commit say it better later."""
    facts = {"commit": known.commit, "has_changes": known.has_changes}
    row, is_new = Sent.objects.get_or_create(revision=revision, defaults=facts)
    if not is_new and known.commit and not known.has_changes and row.has_changes:
        Sent.objects.filter(pk=row.pk).update(**facts)
