"""Models that a program pushed: a place for their files first, a model once they are whole."""

from collections.abc import Collection, Mapping
from functools import partial
from pathlib import PurePosixPath
from typing import BinaryIO

from django.db import transaction
from django.utils.translation import gettext_lazy as _

from fabriek.agreements import descent, inheritance
from fabriek.cases.models import Case
from fabriek.datasets.models import Licence
from fabriek.kernel import journal, pickles, text
from fabriek.kernel.codes import give_code
from fabriek.people.models import Person
from fabriek.registry import card, licences, opening, outputs
from fabriek.registry.models import Model
from fabriek.registry.reasons import NoModel
from fabriek.store import actions as store
from fabriek.store.models import MAIN, Blob, Repository, Revision
from fabriek.store.queries import listing, the_store

README = "README.md"
CARD_BYTES_MAX = 400_000
# What stands beside a model and only holds data; a program of its own, such as .py, is none.
BESIDE = {".png", ".jpg", ".jpeg", ".gif", ".svg", ".webp", ".csv", ".jsonl", ".yaml", ".yml"}

journal.describe(
    {
        "registry.push": _("registered a model that was pushed"),
        "registry.push_again": _("pushed a model anew"),
    }
)


@transaction.atomic
def make_place(case: Case, *, name: str, by: Person) -> Repository:
    """Make room for the files of a model; it has no code before they are a whole one."""
    repository = store.create_repository(
        kind=Repository.Kind.MODEL,
        case=case,
        organisation=case.organisation,
        is_open=False,
        by=by,
    )
    Repository.objects.filter(pk=repository.pk).update(
        title=name, namespace=case.code, name=name
    )
    repository.title, repository.namespace, repository.name = name, case.code, name
    return repository


def require_data_only(files: Mapping[str, Blob]) -> None:
    """Refuse what can run code when it is opened, whatever its name says. Raises: NoModel."""
    for name, blob in files.items():
        with the_store().open(blob) as file:
            outputs.require_data_only(name, file.read(pickles.HEAD_BYTES))


def require_name(path: str) -> None:
    """Refuse by its name what can run code, before its bytes are sent. Raises: NoModel."""
    outputs.require_data_only(path)


def require_still_whole(repository: Repository, files: Mapping[str, Blob]) -> None:
    """Refuse a change after which a model that runs may use would be none.

    Raises: NoModel, with what would be missing or broken.
    """
    if Model.objects.filter(repository=repository).exists():
        _parameters(files)


def pass_terms_on(
    revision: Revision,
    files: Mapping[str, str],
    *,
    by: Person,
    inside: Collection[str] | None = None,
) -> None:
    """Bind what was saved, in the same transaction, and ask the owners of its data to look.

    Raises: WrongState, where everybody may have the model already and could not with this.
    """
    if descent.pass_terms_on(revision, files, by=by, inside=inside):
        for model in Model.objects.filter(repository=revision.repository):
            _ask_review(model)
    if revision.repository.kind == Repository.Kind.MODEL:
        opening.require_still(revision.repository)


def _ask_review(model: Model) -> None:
    journal.record("registry.ask_review", model, by=None, note=model.code)


def take_note(repository: Repository, revision: Revision, *, by: Person | None) -> Model | None:
    """Register what was pushed to `main` when it is a whole model. Safe to repeat."""
    if revision.branch != MAIN:
        return None
    files = listing(revision)
    try:
        parameters = _parameters(files)
    except NoModel:
        return None
    told = _readme(files)
    with transaction.atomic():
        Repository.objects.select_for_update().get(pk=repository.pk)
        known = Model.objects.filter(repository=repository).first()
        if known is None:
            return _registered(repository, revision, told, parameters=parameters, by=by)
        if known.revision_id >= revision.pk:
            return known
        facts = known.facts | {"parameters_total": parameters}
        Model.objects.filter(pk=known.pk).update(
            revision=revision,
            facts=facts,
            card=told or known.card,
            licence=_licence_now(known, told),
        )
        journal.record("registry.push_again", known, by=by, note=known.code)
        known.refresh_from_db()
    return known


def _registered(
    repository: Repository, revision: Revision, told: str, *, parameters: int, by: Person | None
) -> Model:
    licence = licence_of(told)
    title = text.line(repository.title or repository.name)
    model = Model.objects.create(
        title=title,
        case=repository.case,
        repository=repository,
        revision=revision,
        licence=licence,
        facts={"parameters_total": parameters},
        card=told or card.of_unknown(title=title, licence=licence),
    )
    code = give_code(model, "M")
    store.name_repository(repository, code=code, title=title)
    journal.record("registry.push", model, by=by, note=code)
    if any(row.needs_review for row in inheritance.terms_of(repository)):
        _ask_review(model)
    return model


def licence_of(readme: str) -> str:
    """Read what the card says; without it the model is for the consortium only."""
    return licences.stated(readme) or str(Licence.CONSORTIUM)


def _licence_now(known: Model, told: str) -> str:
    """Follow the newest card; what a run made has that of its data, and no card widens it."""
    if not told:
        return known.licence
    if known.run_id is None:
        return licence_of(told)
    stated = licences.stated(told)
    narrows = stated and not licences.lets_everybody(stated)
    return stated if narrows and licences.lets_everybody(known.licence) else known.licence


def problems(files: Mapping[str, Blob]) -> list[NoModel]:
    """Name all that keeps these files from being a model: what is too much, what is not there.

    Nothing of them is run; weights are known by their headers.
    """
    shown = _shown(files)
    if len(shown) > outputs.FILES_MAX:
        return [NoModel("too_many_files")]
    found = {name: wrong for name in shown if (wrong := _not_of_a_model(name))}
    rest = {name: blob for name, blob in shown.items() if name not in found}
    try:
        outputs.parameters_of(rest, partial(_opened, rest))
    except NoModel as wrong:
        return [*found.values(), wrong]
    return [*found.values()]


def _parameters(files: Mapping[str, Blob]) -> int:
    """Count the weights. Raises: NoModel, when this is no whole model, or more than that."""
    shown = _shown(files)
    if len(shown) > outputs.FILES_MAX:
        raise NoModel("too_many_files")
    for name in shown:
        if wrong := _not_of_a_model(name):
            raise wrong
    return outputs.parameters_of(shown, partial(_opened, shown))


def _not_of_a_model(name: str) -> NoModel | None:
    try:
        require_name(name)
    except NoModel as wrong:
        return wrong
    path = PurePosixPath(name)
    is_taken = path.suffix.lower() in outputs.TAKEN | BESIDE or path.name in outputs.TAKEN_NAMES
    return None if is_taken else NoModel("unknown_file", name)


def _shown(files: Mapping[str, Blob]) -> dict[str, Blob]:
    return {name: blob for name, blob in files.items() if not _is_hidden(name)}


def _opened(files: Mapping[str, Blob], name: str) -> BinaryIO:
    return the_store().open(files[name])


def _is_hidden(name: str) -> bool:
    return any(part.startswith(".") for part in name.split("/"))


def _readme(files: Mapping[str, Blob]) -> str:
    if README not in files:
        return ""
    with the_store().open(files[README]) as file:
        return file.read(CARD_BYTES_MAX).decode("utf-8", "replace").replace("\0", "")
