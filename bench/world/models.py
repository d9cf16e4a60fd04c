"""One model a case, made by its first run that succeeded; what else succeeded made none."""

from bench.world.data import Data
from bench.world.size import Making, keep
from fabriek import VERSION
from fabriek.registry.card import CardFacts, Source, written
from fabriek.registry.models import Model, Rejection
from fabriek.runs.models import Run
from fabriek.store.models import Blob, File, Repository, Revision
from fabriek_recipes.recipe import catalogue

FILES = ("model.safetensors", "config.json", "tokenizer.json", "README.md")
FACTS = {"parameters_total": 135_000_000, "rows_trained": 9000, "rows_held_out": 1000,
         "tokens_seen": 4_000_000, "flop_estimate": 3.2e15}  # fmt: skip


def make(making: Making, runs: list[Run], data: Data) -> list[Model]:
    succeeded = [run for run in runs if run.state == "succeeded"]
    firsts = list({run.case_id: run for run in reversed(succeeded)}.values())[::-1]
    revisions = _revisions(making, firsts)
    models = keep(
        Model,
        (_model(run, revision, data) for run, revision in zip(firsts, revisions, strict=True)),
    )
    have_one = {run.pk for run in firsts}
    others = (run for run in succeeded if run.pk not in have_one)
    keep(Rejection, (Rejection(run=run, code="no_model", reason="-") for run in others))
    return models


def _revisions(making: Making, runs: list[Run]) -> list[Revision]:
    repositories = keep(
        Repository,
        (
            Repository(
                code=making.code("M", number),
                title="Berichten naar het juiste loket",
                kind="model",
                case=run.case,
                organisation=run.case.organisation,
            )
            for number, run in enumerate(runs, 2)
        ),
    )
    revisions = keep(
        Revision,
        (
            Revision(repository=one, number=1, digest=f"{one.pk:064x}", message="gemaakt",
                     file_count=len(FILES), size_bytes=270_000_000)
            for one in repositories
        ),
    )  # fmt: skip
    named = [(revision, name) for revision in revisions for name in FILES]
    blobs = keep(
        Blob,
        (
            Blob(organisation_id=revision.repository.organisation_id,
                 sha256=f"{number:064x}", size_bytes=270_000_000 // len(FILES))
            for number, (revision, _) in enumerate(named)
        ),
    )  # fmt: skip
    pairs = zip(named, blobs, strict=True)
    keep(File, (File(revision=one, path=name, blob=blob) for (one, name), blob in pairs))
    return revisions


def _model(run: Run, revision: Revision, data: Data) -> Model:
    facts = _card_facts(run, revision, data)
    return Model(
        code=revision.repository.code,
        title=revision.repository.title,
        case=run.case,
        repository=revision.repository,
        revision=revision,
        run=run,
        base=data.base,
        licence="consortium-only",
        scores=run.scores,
        facts=FACTS,
        card=written(facts),
        registered_at=run.ended_at,
    )


def _card_facts(run: Run, revision: Revision, data: Data) -> CardFacts:
    used = data.newest[run.case_id]
    return CardFacts(
        title=revision.repository.title,
        case=run.case.code,
        case_title=run.case.title,
        organisation=run.case.organisation.name,
        purpose=run.case.problem,
        recipe=run.recipe,
        recipe_summary=catalogue()[run.recipe].summary,
        run=run.code,
        made_on=f"{run.ended_at:%Y-%m-%d}",
        seed=run.seed,
        code_version=VERSION,
        licence="consortium-only",
        settings=[],
        datasets=[
            Source(
                reference=f"{used.repository.code}@{used.number}",
                title=used.repository.title,
                digest=used.digest,
                licence="consortium-only",
            )
        ],
        base=Source(reference=f"{data.base.code}@1", title=data.base.title,
                    digest=data.base.revision.digest, licence=data.base.licence),
        scores=run.scores,
        facts=FACTS,
        gpu_seconds_used=run.gpu_seconds_used or 0,
        gpu_seconds_estimated=run.gpu_seconds_estimated,
    )  # fmt: skip
