"""What the card tells of a model that a run made: from the run, its data and its report."""

from django.conf import settings
from django.utils import translation
from django.utils.translation import gettext as _

from fabriek import VERSION
from fabriek.registry import bound, card, licences
from fabriek.registry.models import Model
from fabriek.runs import folders, offers, use
from fabriek.runs.models import Run
from fabriek.store.models import Revision
from fabriek.store.references import written
from fabriek_recipes.recipe import catalogue

LARGEST = 1e30  # beyond any count of anything: a slip, or a joke
Plain = str | int | float | bool | None


def of_run(run: Run, *, base: Model | None, parameters: int) -> card.CardFacts:
    """Gather what the card tells of the model that `run` made."""
    data = [
        item.revision
        for item in run.inputs.all()
        if hasattr(item.revision.repository, "dataset")
    ]
    sources = [_source_of(revision) for revision in data]
    return card.CardFacts(
        title=_title(run, sources),
        case=run.case.code,
        case_title=run.case.title,
        organisation=run.case.organisation.name,
        purpose=run.case.problem,
        recipe=run.recipe,
        recipe_summary=catalogue()[run.recipe].summary,
        run=run.code,
        made_on=f"{run.ended_at:%Y-%m-%d}" if run.ended_at else "an unknown day",
        seed=run.seed,
        code_version=VERSION,
        licence=licences.inherited(
            base=base.licence if base else "", datasets=[source.licence for source in sources]
        ),
        settings=_settings(run),
        datasets=sources,
        base=_base_source(run, base),
        scores=run.scores,
        facts=_facts_of(run, parameters),
        gpu_seconds_used=run.gpu_seconds_used or 0,
        gpu_seconds_estimated=run.gpu_seconds_estimated,
        terms=bound.sentences(*use.terms_of(run)),
    )


def _title(run: Run, sources: list[card.Source]) -> str:
    """Name the data and what was made of it, in the language the factory speaks first."""
    named = sources[0].title if sources else run.case.title
    with translation.override(settings.LANGUAGE_CODE):
        return f"{named[:150]} · {_(catalogue()[run.recipe].makes)}"


def _settings(run: Run) -> list[card.Setting]:
    """Tell what was set as people read it in English, and as one types it to do it again."""
    with translation.override(card.LANGUAGE):
        return [
            card.Setting(
                title=knob.title,
                value=knob.said_with_unit(value),
                option=f"--{knob.name.replace('_', '-')} {value}",
            )
            for knob, value in offers.chosen(run.recipe, run.knobs)
        ]


def _source_of(revision: Revision) -> card.Source:
    dataset = revision.repository.dataset
    return card.Source(
        reference=written(revision),
        title=dataset.title,
        digest=revision.digest,
        licence=dataset.licence,
        has_personal_data=dataset.has_personal_data,
    )


def _base_source(run: Run, base: Model | None) -> card.Source | None:
    if base is None:
        return None
    # What the run worked on: the model itself may have gone on since.
    used = [row.revision for row in run.inputs.all()]
    digest = next(r.digest for r in used if r.repository_id == base.repository_id)
    return card.Source(
        reference=base.code,
        title=base.title,
        digest=digest,
        licence=base.licence,
    )


def _facts_of(run: Run, parameters: int) -> dict[str, Plain]:
    """Keep single figures and words of the run's report.

    Lists of rows hold people's data and stay in the run. A job may write anything: what a
    database cannot keep is left out.
    """
    told = {
        name[:60]: value[:200] if isinstance(value, str) else value
        for name, value in folders.report(run).items()
        if name.isprintable() and _is_plain(value)
    }
    return {"parameters_total": parameters} | told  # type: ignore[return-value]


def _is_plain(value: object) -> bool:
    if isinstance(value, str):
        return value.isprintable()
    if isinstance(value, int | float):
        return abs(value) < LARGEST  # not infinite, nor "not a number"
    return value is None
