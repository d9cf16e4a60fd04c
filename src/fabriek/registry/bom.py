"""The bill of materials of a model, in the JSON of CycloneDX 1.6 (ECMA-424).

Written by hand: the library for it knows no model cards. What this reader may not know of is
left out, and the bill says that it is not whole.
"""

import uuid
from collections.abc import Iterable, Mapping
from urllib.parse import quote

from django.conf import settings
from django.utils import translation

from fabriek import VERSION
from fabriek.registry import card, scores
from fabriek.registry.composition import Composition, Part
from fabriek_recipes import evaluation
from fabriek_recipes.recipe import catalogue

Json = dict[str, object]

MEDIA_TYPE = "application/vnd.cyclonedx+json; version=1.6"
# Our names of licences, in small letters, as the list of SPDX writes them.
SPDX = {
    name.lower(): name
    for name in ("CC0-1.0", "CC-BY-4.0", "CC-BY-SA-4.0", "EUPL-1.2", "Apache-2.0", "MIT")
}
WH_PER_KWH = 1000
AFTER = "after training"
LIMITS = (
    "The scores hold for data like the data it learned from.",
    "Whether it treats groups of people differently was not measured.",
)


def written(made: Composition) -> Json:
    """Write the bill; the same facts give the same bill."""
    parts = [*made.datasets, *([made.base] if made.base else [])]
    with translation.override(card.LANGUAGE):
        libraries = list(_libraries(made.model.versions))
        return {
            "$schema": "http://cyclonedx.org/schema/bom-1.6.schema.json",
            "bomFormat": "CycloneDX",
            "specVersion": "1.6",
            "serialNumber": _serial(made),
            "version": 1,
            "metadata": _metadata(made),
            "components": [
                *(_dataset(part) for part in made.datasets),
                *([_base(made.base)] if made.base else []),
                *libraries,
            ],
            "dependencies": [
                {
                    "ref": made.reference,
                    "dependsOn": [
                        *(part.reference for part in parts),
                        *(str(one["bom-ref"]) for one in libraries),
                    ],
                }
            ],
            "compositions": [
                {
                    # Of libraries a run names those that matter most, never all of them.
                    "aggregate": "unknown" if made.is_whole else "incomplete",
                    "dependencies": [made.reference],
                }
            ],
        }


def _serial(made: Composition) -> str:
    """Name the bill by what it tells: who may know less gets another one."""
    told = [made.url, made.model.revision.digest, *(part.digest for part in made.datasets)]
    return f"urn:uuid:{uuid.uuid5(uuid.NAMESPACE_URL, ' '.join(told))}"


def _metadata(made: Composition) -> Json:
    tool = {"type": "application", "name": "Fabriek", "version": VERSION}
    return {
        "timestamp": made.model.registered_at.isoformat(),
        "tools": {"components": [tool]},
        "supplier": {"name": settings.FACTORY_NAME, "url": [settings.FACTORY_URL]},
        "component": _model(made),
    }


def _model(made: Composition) -> Json:
    model = made.model
    component: Json = {
        "type": "machine-learning-model",
        "bom-ref": made.reference,
        "name": model.title,
        "version": str(model.revision.number),
        "authors": [{"name": made.maker}],
        "licenses": [_licence(model.licence)],
        "externalReferences": [{"type": "website", "url": made.url}],
        "modelCard": _card(made),
        "properties": [
            _property("sha256-of-listing", model.revision.digest),
            *_facts(made),
        ],
    }
    if made.base:
        component["pedigree"] = {"ancestors": [_base(made.base, ref="-ancestor")]}
    return component


def _card(made: Composition) -> Json:
    model = made.model
    parameters: Json = {"datasets": [{"ref": part.reference} for part in made.datasets]}
    recipe = catalogue().get(model.run.recipe) if model.run else None
    if recipe and recipe.pipeline_tag:
        parameters["task"] = recipe.pipeline_tag
    considerations: Json = {"technicalLimitations": list(LIMITS)}
    if made.energy:
        considerations["environmentalConsiderations"] = {
            "energyConsumptions": [_energy(made, watt_hours=made.energy.watt_hours)]
        }
    return {
        "modelParameters": parameters,
        "quantitativeAnalysis": {"performanceMetrics": list(_metrics(made))},
        "considerations": considerations,
    }


def _energy(made: Composition, *, watt_hours: int) -> Json:
    return {
        "activity": "fine-tuning" if made.model.base_id else "training",
        "energyProviders": [],  # who fed the machine is not known here
        "activityEnergyCost": {"value": watt_hours / WH_PER_KWH, "unit": "kWh"},
        "properties": [_property("method", made.energy.method if made.energy else "")],
    }


def _metrics(made: Composition) -> Iterable[Json]:
    found = evaluation.of(made.model.evaluation)
    bounds: dict[str, Json] = {
        one.name: {"lowerBound": str(one.low), "upperBound": str(one.high)}
        for one in (found.scores if found else ())
    }
    for score in scores.pairs(made.model.scores):
        for when, value in (
            ("before training", score.before),
            (AFTER, score.after),
            ("a plain model", score.yardstick),
        ):
            if value is not None:
                metric: Json = {"type": score.name, "value": str(value), "slice": when}
                if when == AFTER and score.name in bounds:
                    metric["confidenceInterval"] = bounds[score.name]
                yield metric


def _facts(made: Composition) -> Iterable[Json]:
    facts = made.model.facts
    for name in ("parameters_total", "parameters_trained", "rows_trained", "tokens_seen"):
        if isinstance(facts.get(name), int):
            yield _property(name.replace("_", "-"), str(facts[name]))
    if made.flop:
        yield _property("training-flop", f"{made.flop:.6g}")
    if made.base_flop:
        yield _property("training-flop-of-base", f"{made.base_flop:.6g}")


def _dataset(part: Part) -> Json:
    about: Json = {
        "type": "dataset",
        "name": part.title,
        "contents": {"url": part.url},
        "sensitiveData": ["personal data"] if part.has_personal_data else [],
    }
    return {**_component(part), "type": "data", "data": [about]}


def _base(part: Part, *, ref: str = "") -> Json:
    return {**_component(part, ref=ref), "type": "machine-learning-model"}


def _component(part: Part, *, ref: str = "") -> Json:
    component: Json = {
        "bom-ref": part.reference + ref,
        "name": part.title,
        "version": part.reference.partition("@")[2],
        "licenses": [_licence(part.licence)],
        "externalReferences": [{"type": "website", "url": part.url}],
    }
    if part.digest:
        # No `hashes`: those are of one file's bytes, and this is of a list of files.
        component["properties"] = [_property("sha256-of-listing", part.digest)]
    return component


def _libraries(versions: Mapping[str, str]) -> Iterable[Json]:
    for name, version in sorted(versions.items()):
        purl = f"pkg:pypi/{name.lower().replace('_', '-')}@{quote(version, safe='')}"
        yield {
            "type": "library",
            "bom-ref": purl,
            "name": name,
            "version": version,
            "purl": purl,
        }


def _licence(licence: str) -> Json:
    known = SPDX.get(licence.lower())
    return {"license": {"id": known} if known else {"name": licence}}


def _property(name: str, value: str) -> Json:
    return {"name": f"fabriek:{name}", "value": value}
