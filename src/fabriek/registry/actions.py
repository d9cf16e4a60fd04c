"""Register models: those that runs made, and open base models brought in by staff."""

import io
from collections.abc import Mapping
from pathlib import Path

from django.conf import settings
from django.db import IntegrityError, transaction
from django.utils.translation import gettext as _
from django.utils.translation import gettext_lazy

from fabriek.agreements import inheritance
from fabriek.datasets.actions import Download
from fabriek.kernel import journal, text
from fabriek.kernel.codes import give_code
from fabriek.kernel.errors import Refused, WrongState
from fabriek.people.models import Organisation, Person
from fabriek.registry import card, card_facts, open_names, outputs, queries, rules
from fabriek.registry.models import Model, Rejection
from fabriek.runs import actions as runs
from fabriek.runs import evaluated, folders, lineage
from fabriek.runs.models import Run
from fabriek.runs.states import RunState
from fabriek.store import actions as store
from fabriek.store import held
from fabriek.store.models import Blob, File, Repository
from fabriek.store.queries import the_store
from fabriek_recipes.recipe import runnable

journal.describe(
    {
        "registry.register": gettext_lazy("A model was registered."),
        "registry.ask_review": gettext_lazy("A model waits for the owner of its data."),
        "registry.reject": gettext_lazy("The output of a run could not become a model."),
        "registry.bring_in": gettext_lazy("brought in an open base model"),
        "registry.download": gettext_lazy("fetched a file of a model"),
    }
)
README = "README.md"
CARD_BYTES_MAX = 400_000


def register(run: Run) -> Model:
    """Take the model out of a run's folder into the store, with its card and origin.

    Safe to repeat, and two at once make one model: both find the repository by the run's key,
    and who is second under the lock finds the model. The files go in before that lock.

    Raises:
        WrongState: the run has not succeeded.
        Refused: its folder cannot be reached now.
        Invalid: what it left is not a model that can be taken in.
    """
    if existing := Model.objects.filter(run=run).first():
        return existing
    _require_end(run)
    found = outputs.model_files(folders.place(run))
    repository = _repository_for(run)
    files = _taken_in(repository, found)
    told = card_facts.of_run(run, base=queries.base_of(run), parameters=found.parameters)
    text = io.BytesIO(card.written(told).encode())
    files[README] = store.store_bytes(repository, text, by=None)
    return _registered(run, repository, files, told)


def take_in(run: Run) -> None:
    """Register what a run made, where it made a model; own code need not have.

    Raises: as `register`.
    """
    if _need_not(run):
        runs.note_outputs_taken(run)
    else:
        register(run)


def _need_not(run: Run) -> bool:
    """Tell of own code that it left no model; not of a folder that cannot be reached now."""
    recipe = runnable().get(run.recipe)
    if recipe is None or not recipe.is_own_code or not folders.is_ready(run):
        return False
    return not outputs.is_anything(folders.place(run))


def reject(run: Run, refusal: Refused) -> None:
    """Keep why the output of `run` is no model, so that people see it and it is not retried."""
    told = {
        "code": refusal.code[:40],
        "name": getattr(refusal, "name", "")[:200],
        "reason": str(refusal)[:2000],
    }
    with transaction.atomic():
        _row, is_new = Rejection.objects.get_or_create(run=run, defaults=told)
        runs.note_outputs_taken(run)
        if is_new:
            journal.record("registry.reject", run, by=None, code=refusal.code, note=run.code)


def bring_in(
    folder: Path,
    *,
    title: str,
    licence: str,
    organisation: Organisation,
    by: Person,
    training_flop: float | None = None,
) -> Model:
    """Register an open base model from a folder in Hugging Face format.

    `training_flop`: the compute of its training, where its makers declare it.

    Raises:
        NotAllowed: only staff bring in models that everybody may use.
        Invalid: the folder holds no whole model, or title, licence or compute will not do.
        Refused: there is an open model with this title, or one that is called so.
    """
    rules.require_bring_in(by)
    declared = card_facts.declared(training_flop)
    model = Model(title=text.line(title), licence=text.line(licence))
    text.check(model, ["title", "licence"])
    _require_new_title(model)
    found = outputs.plain_files(folder)
    model.card = _readme(found.files, title=model.title, licence=model.licence)
    model.facts = {"parameters_total": found.parameters} | declared
    repository = store.create_repository(
        kind=Repository.Kind.MODEL, case=None, organisation=organisation, is_open=True, by=by
    )
    files = {name: store.adopt(repository, path, by=by) for name, path in found.files.items()}
    if README not in files:
        source = io.BytesIO(model.card.encode())
        files[README] = store.store_bytes(repository, source, by=by)
    with transaction.atomic():
        _require_new_title(model)
        model.repository = repository
        model.revision = store.commit(repository, files, message=model.title, by=by)
        model.save()
        _named_apart(model)
        journal.record("registry.bring_in", model, by=by, note=model.code)
    return model


def download(model: Model, file: File, *, by: Person) -> Download:
    """Open one file for somebody who may take it along, and write down who took it.

    Raises:
        NotAllowed: the model is of others, or was made of data that does not let it go out.
    """
    rules.require_download(by, model, revision=model.revision.number)
    blob = file.blob
    content = the_store().open(blob)
    details = {"code": model.code, "path": file.path, "sha256": blob.sha256}
    journal.record("registry.download", model, by=by, note=model.code, **details)
    name = file.path.rpartition("/")[2]
    return Download(content=content, name=name, size_bytes=blob.size_bytes)


# --- what a run made ---------------------------------------------------------------------
def _require_end(run: Run) -> None:
    if run.state != RunState.SUCCEEDED:
        raise WrongState(_("%(run)s has not succeeded, so it has no model.") % {"run": run})
    if not folders.is_ready(run):
        # Nothing may be concluded: its disk may be away for a moment.
        raise Refused(
            _("The folder of %(run)s cannot be reached, so its model was not taken in yet.")
            % {"run": run},
            code="not_reached",
        )


def _taken_in(repository: Repository, found: outputs.Found) -> dict[str, Blob]:
    """Take the files into the store, and no more of them than was found right before."""
    files, left = {}, settings.OUTPUTS_LIMIT_BYTES
    for name, path in found.files.items():
        files[name] = store.adopt(
            repository, path, by=None, within=found.within, limit_bytes=left
        )
        left -= files[name].size_bytes
    return files


@transaction.atomic
def _repository_for(run: Run) -> Repository:
    """Find or make the place of the model; after registering it has the model's code."""
    if existing := _registered_before(run):
        return existing.repository
    repository, _is_new = Repository.objects.get_or_create(
        code=run.key,
        defaults={
            "kind": Repository.Kind.MODEL,
            "case": run.case,
            "organisation": run.case.organisation,
        },
    )
    return repository


def _registered_before(run: Run) -> Model | None:
    """Look under the run's lock, so that of two passes one is second."""
    Run.objects.select_for_update().get(pk=run.pk)
    return Model.objects.select_related("repository").filter(run=run).first()


@transaction.atomic
def _registered(
    run: Run, repository: Repository, files: Mapping[str, Blob], told: card.CardFacts
) -> Model:
    if existing := _registered_before(run):
        return existing
    # Before its files are named: a pass that takes one of them in holds the place first, too.
    held.alone(repository)
    model = Model.objects.create(
        title=told.title,
        case=run.case,
        repository=repository,
        revision=store.commit(repository, files, message=f"Made by {run.code}", by=None),
        run=run,
        base=queries.base_of(run),
        licence=told.licence,
        scores=dict(told.scores),
        facts=dict(told.facts),
        versions=card_facts.versions_of(run),
        evaluation=_evaluation(run),
        card=card.written(card_facts.for_everybody(told, run)),
    )
    _named(model)
    agreements, sources = lineage.terms_of(run)
    if inheritance.pass_on(repository, agreements=agreements, sources=sources):
        journal.record("registry.ask_review", model, by=None, note=model.code)
    runs.note_outputs_taken(run)
    journal.record("registry.register", model, by=None, run=run.code, note=model.code)
    return model


def _evaluation(run: Run) -> dict[str, object]:
    """Keep how well it does in detail; rows of the data stay with the run."""
    found = evaluated.of_run(run)
    return found.without_rows().model_dump(mode="json") if found else {}


def _named(model: Model) -> None:
    """Give the model its code, and its repository the same code and title."""
    code = give_code(model, "M")
    store.name_repository(model.repository, code=code, title=model.title)


# --- what staff brings in ----------------------------------------------------------------
def _named_apart(model: Model) -> None:
    """Name it where another may take that name at this moment, or took the next as well."""
    try:
        with transaction.atomic():
            _named(model)
    except IntegrityError as race:
        raise open_names.taken() from race


def _require_new_title(model: Model) -> None:
    same = Model.objects.filter(title__iexact=model.title, repository__is_open=True)
    if found := same.first():
        raise Refused(
            _("There is an open model with this title already: %(code)s. Choose another title.")
            % {"code": found.code},
            code="known_title",
        )


def _readme(files: Mapping[str, Path], *, title: str, licence: str) -> str:
    """Take the card its makers wrote, else a plain one."""
    if README not in files:
        return card.of_unknown(title=title, licence=licence)
    with files[README].open("rb") as file:
        return file.read(CARD_BYTES_MAX).decode("utf-8", "replace").replace("\0", "")
