"""Register models: those that runs made, and open base models brought in by staff."""

import io
from collections.abc import Mapping
from pathlib import Path

from django.db import IntegrityError, transaction
from django.utils.translation import gettext as _
from django.utils.translation import gettext_lazy

from fabriek import VERSION
from fabriek.kernel import journal
from fabriek.kernel.codes import give_code
from fabriek.kernel.errors import NotAllowed, Refused, WrongState
from fabriek.people.models import Organisation, Person
from fabriek.registry import card, licences, outputs, queries
from fabriek.registry.models import Model, Rejection
from fabriek.runs import folders
from fabriek.runs.models import Run
from fabriek.runs.states import RunState
from fabriek.store import actions as store
from fabriek.store.models import Repository, Revision
from fabriek.store.references import written
from fabriek_recipes.recipe import catalogue

journal.describe(
    {
        "registry.register": gettext_lazy("A model was registered."),
        "registry.reject": gettext_lazy("The output of a run could not become a model."),
        "registry.bring_in": gettext_lazy("brought in an open base model"),
    }
)
README = "README.md"
Plain = str | int | float | bool | None


def register(run: Run) -> Model:
    """Take the model out of a run's folder into the store, with its card and origin.

    Safe to repeat, and two at once make one model: the repository is found by the run's key and
    the model by the run. Files go in before the transaction, which is short.

    Raises:
        WrongState: the run has not succeeded.
        Invalid: what it left is not a model that can be taken in.
    """
    if existing := Model.objects.filter(run=run).first():
        return existing
    if run.state != RunState.SUCCEEDED:
        raise WrongState(_("%(run)s has not succeeded, so it has no model.") % {"run": run})
    found = outputs.model_files(run.folder)
    facts = _plain(folders.report(run))
    base = queries.base_of(run)
    told = _card_facts(run, base, facts)
    repository = _repository_for(run)
    revision = _taken_in(repository, found, card.written(told), message=f"Made by {run.code}")
    try:
        return _model(run, base, revision, told, facts)
    except IntegrityError:
        return Model.objects.get(run=run)  # another pass was quicker


def reject(run: Run, refusal: Refused) -> None:
    """Keep why the output of `run` is no model, so that people see it and it is not retried."""
    with transaction.atomic():
        _row, is_new = Rejection.objects.get_or_create(
            run=run, defaults={"reason": str(refusal)[:2000]}
        )
        if is_new:
            journal.record("registry.reject", run, by=None, code=refusal.code)


def bring_in(
    folder: Path, *, title: str, licence: str, organisation: Organisation, by: Person
) -> Model:
    """Register an open base model from a folder in Hugging Face format.

    Raises:
        NotAllowed: only staff bring in models that everybody may use.
        Invalid: the folder holds no whole model, or files that are not taken.
    """
    if not by.is_factory_staff:
        raise NotAllowed(_("Only staff of the factory bring in open models. Ask them to do so."))
    found = outputs.plain_files(folder)
    repository = store.create_repository(
        kind=Repository.Kind.MODEL, case=None, organisation=organisation, is_open=True, by=by
    )
    files = {name: store.adopt(repository, path, by=by) for name, path in found.items()}
    revision = store.commit(repository, files, message=title, by=by)
    text = (folder / README).read_text("utf-8", "replace") if (folder / README).exists() else ""
    with transaction.atomic():
        model = Model.objects.create(
            title=title, revision=revision, licence=licence, card=text or f"# {title}\n"
        )
        _named(model)
        journal.record("registry.bring_in", model, by=by)
    return model


def _repository_for(run: Run) -> Repository:
    repository, _is_new = Repository.objects.get_or_create(
        code=run.key,
        defaults={
            "kind": Repository.Kind.MODEL,
            "case": run.case,
            "organisation": run.case.organisation,
        },
    )
    return repository


def _taken_in(
    repository: Repository, found: Mapping[str, Path], text: str, *, message: str
) -> Revision:
    files = {name: store.adopt(repository, path, by=None) for name, path in found.items()}
    files[README] = store.store_bytes(repository, io.BytesIO(text.encode()), by=None)
    return store.commit(repository, files, message=message, by=None)


@transaction.atomic
def _model(
    run: Run,
    base: Model | None,
    revision: Revision,
    told: card.CardFacts,
    facts: Mapping[str, Plain],
) -> Model:
    model = Model.objects.create(
        title=told.title,
        case=run.case,
        revision=revision,
        run=run,
        base=base,
        licence=told.licence,
        scores=dict(told.scores),
        facts=dict(facts),
        card=card.written(told),
    )
    _named(model)
    journal.record("registry.register", model, by=None, run=run.code)
    return model


def _named(model: Model) -> None:
    """Give the model its code, and its repository the same code and title."""
    code = give_code(model, "M")
    Repository.objects.filter(pk=model.revision.repository_id).update(
        code=code, title=model.title
    )


def _card_facts(run: Run, base: Model | None, facts: Mapping[str, Plain]) -> card.CardFacts:
    data = [
        item.revision for item in run.inputs.all() if hasattr(item.revision.repository, "dataset")
    ]
    recipe = catalogue()[run.recipe]
    sources = [_source_of(revision) for revision in data]
    return card.CardFacts(
        title=_title(run, sources),
        case=run.case.code,
        case_title=run.case.title,
        organisation=run.case.organisation.name,
        purpose=run.case.problem,
        recipe=run.recipe,
        recipe_summary=recipe.summary,
        run=run.code,
        seed=run.seed,
        code_version=VERSION,
        licence=licences.inherited(
            base=base.licence if base else "", datasets=[source.licence for source in sources]
        ),
        knobs=run.knobs,
        datasets=sources,
        base=_base_source(base),
        scores=run.scores,
        facts=facts,
        gpu_seconds_used=run.gpu_seconds_used or 0,
        gpu_seconds_estimated=run.gpu_seconds_estimated,
    )


def _title(run: Run, sources: list[card.Source]) -> str:
    named = sources[0].title if sources else run.case.title
    return f"{named[:150]} · {run.recipe}"


def _source_of(revision: Revision) -> card.Source:
    dataset = revision.repository.dataset
    return card.Source(
        reference=written(revision),
        title=dataset.title,
        digest=revision.digest,
        licence=dataset.licence,
        has_personal_data=dataset.has_personal_data,
    )


def _base_source(base: Model | None) -> card.Source | None:
    if base is None:
        return None
    return card.Source(
        reference=base.code,
        title=base.title,
        digest=base.revision.digest,
        licence=base.licence,
    )


def _plain(report: Mapping[str, object]) -> dict[str, Plain]:
    """Keep single figures and words; lists of rows hold people's data and stay in the run."""
    return {
        name[:60]: value[:200] if isinstance(value, str) else value
        for name, value in report.items()
        if value is None or isinstance(value, str | int | float | bool)
    }
