"""What the card tells of a model that a run made: from the run, its data and its report."""

import re
from collections.abc import Collection
from dataclasses import replace

from django.conf import settings
from django.utils import translation
from django.utils.translation import gettext as _

from fabriek import VERSION
from fabriek.kernel.errors import Invalid
from fabriek.machine import drawn
from fabriek.programs import queries as programs
from fabriek.registry import bound, card, card_scores, licences
from fabriek.registry.models import Model
from fabriek.runs import evaluated, folders, lineage, offers
from fabriek.runs.models import Run
from fabriek.store.models import Repository, Revision
from fabriek.store.references import written
from fabriek.sweeps import queries as sweeps
from fabriek_recipes.recipe import catalogue

# What a library and its version may be called: a job may write anything.
VERSION_WORD = re.compile(r"[A-Za-z0-9][A-Za-z0-9._+!-]{0,59}")
VERSIONS_MAX = 100
FLOP = "flop_estimate"
LARGEST = 1e30  # beyond any count of anything: a slip, or a joke
Plain = str | int | float | bool | None


def of_run(run: Run, *, base: Model | None, parameters: int) -> card.CardFacts:
    """Gather what the card tells of the model that `run` made."""
    data = [
        item.revision
        for item in run.inputs.all()
        if hasattr(item.revision.repository, "dataset")
    ]
    sources = [_source_of(revision, run) for revision in data]
    return card.CardFacts(
        title=_title(run, data),
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
        library_name=catalogue()[run.recipe].library_name,
        pipeline_tag=_pipeline_tag(run),
        scores=run.scores,
        bounds=_bounds(run),
        facts=_facts_of(run, parameters) | _flop_of_base(base),
        gpu_seconds_used=lineage.gpu_seconds_used(run),
        is_continued=run.continues_id is not None,
        gpu_seconds_estimated=run.gpu_seconds_estimated,
        energy=energy_of(run),
        terms=bound.sentences(*lineage.terms_of(run)),
        chosen=_chosen(run),
        code=_code(run),
    )


def _bounds(run: Run) -> dict[str, tuple[float, float]]:
    found = evaluated.of_run(run)
    return {one.name: (one.low, one.high) for one in found.scores} if found else {}


def _code(run: Run) -> str:
    """Say which code made it, where that was somebody's own, and from which commit it came."""
    row = next((one for one in run.inputs.all() if is_code(one.revision.repository)), None)
    if row is None:
        return ""
    revision = row.revision
    named = f"{revision.repository.title} ({written(revision)}, sha256 of its listing "
    named += f"{revision.digest})"
    sent = programs.sent_of([revision]).get(revision.pk)
    if sent is None or not sent.commit:
        return f"{named}, from no commit that was told"
    more = ", with changes that were in no commit" if sent.has_changes else ""
    return f"{named}, git commit {sent.commit}{more}, as told by who sent it"


def is_code(repository: Repository) -> bool:
    return repository.kind == Repository.Kind.CODE


def _chosen(run: Run) -> str:
    """Say that the settings were searched, and what that means for the scores."""
    found = sweeps.won_by(run)
    if found is None:
        return ""
    sweep, trials = found
    return (
        f"Settings chosen from {trials} trials of sweep {sweep.code}, by `{sweep.score}` on "
        "the rows kept apart. The best of many was partly lucky: on new rows expect a little "
        "less."
    )


def energy_of(run: Run) -> str:
    """Say what was drawn and how that is known, in the card's language."""
    with translation.override(card.LANGUAGE):
        found = drawn.of_line(run)
        return f"{found.said}. {found.method}" if found else "not measured"


def declared(training_flop: float | None) -> dict[str, Plain]:
    """Take what the makers of a model from elsewhere say it took. Raises: Invalid."""
    if training_flop is None:
        return {}
    if not 0 < training_flop < LARGEST:
        raise Invalid(
            _("The compute of a training is a number of FLOP, such as 6.4e22: more than 0."),
            code="wrong_flop",
        )
    return {FLOP: training_flop}


def versions_of(run: Run) -> dict[str, str]:
    """Name the libraries that made the model, with their versions, as its run tells."""
    told = folders.report(run).get("versions")
    pairs = told.items() if isinstance(told, dict) else ()
    sound = [
        (name, version)
        for name, version in pairs
        if all(isinstance(one, str) and VERSION_WORD.fullmatch(one) for one in (name, version))
    ]
    return dict(sound[:VERSIONS_MAX])


def _pipeline_tag(run: Run) -> str:
    """Name what it does: a recipe may make two kinds, and says which in its report."""
    recipe = catalogue()[run.recipe]
    told = folders.report(run).get("pipeline_tag")
    is_known = isinstance(told, str) and told in recipe.pipeline_tags
    return str(told) if is_known else recipe.pipeline_tag


def for_everybody(told: card.CardFacts, run: Run) -> card.CardFacts:
    """Leave out what names data, models and agreements of others.

    Whoever sees the model reads this one; the whole card goes out with its files, to whom the
    agreements let it go.
    """
    used = [row.revision.repository for row in run.inputs.all()]
    lent = {str(one.code) for one in used if _is_lent(one, run)}
    return replace(
        told,
        datasets=[_unnamed(one, lent) for one in told.datasets],
        base=told.base and _unnamed(told.base, lent),
        terms=bound.sentences(*lineage.terms_of(run), named=False),
    )


def _unnamed(source: card.Source, lent: Collection[str]) -> card.Source:
    if source.reference.partition("@")[0] not in lent:
        return source
    return replace(source, reference="", title="", digest="")


def _is_lent(repository: Repository, run: Run) -> bool:
    return not repository.is_open and repository.case_id != run.case_id


def _title(run: Run, data: list[Revision]) -> str:
    """Name the data and what was made of it, in the language the factory speaks first.

    Not data of others: all of the consortium read a title, and it may be lent to some only.
    """
    own = (one.repository for one in data if not _is_lent(one.repository, run))
    first = next(own, None)
    named = first.dataset.title if first else run.case.title
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


def _flop_of_base(base: Model | None) -> dict[str, Plain]:
    """Add up what the base took, by its run or its makers, and the base of that one before."""
    if base is None:
        return {}
    told = [card.number(base.facts.get(name)) for name in (FLOP, card.BASE_FLOP)]
    return {card.BASE_FLOP: sum(filter(None, told))} if told[0] else {}


def _source_of(revision: Revision, run: Run) -> card.Source:
    dataset = revision.repository.dataset
    return card.Source(
        reference=written(revision),
        title=dataset.title,
        digest=revision.digest,
        licence=dataset.licence,
        has_personal_data=dataset.has_personal_data,
        is_open=revision.repository.is_open,
        is_lent=_is_lent(revision.repository, run),
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
        if name.isprintable() and _is_plain(value) and name != card.BASE_FLOP
    }
    chose = told.get(card_scores.CHOSE_APART)
    is_apart = isinstance(chose, int) and not isinstance(chose, bool) and chose > 0
    if run.knobs.get("stop_after_looks") and not is_apart:
        told |= {card_scores.CHOSEN: True}
    return {"parameters_total": parameters} | told  # type: ignore[return-value]


def _is_plain(value: object) -> bool:
    if isinstance(value, str):
        return value.isprintable()
    if isinstance(value, int | float):
        return abs(value) < LARGEST  # not infinite, nor "not a number"
    return value is None
