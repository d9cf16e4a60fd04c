"""The record of a model in MLDCAT-AP 3.1.0, beside those of datasets in DCAT-AP-NL.

What this reader may not know of is left out. Of data of others no more is told than that it
is there: the profile asks for one thing that it was trained on.
"""

from collections.abc import Sequence
from urllib.parse import quote

from django.urls import reverse
from rdflib import Graph, Literal, Namespace, URIRef
from rdflib.namespace import DCTERMS, RDF, XSD

from fabriek.catalogue.dcat_terms import DCAT, SPDX, add_agent, add_concept, new_graph
from fabriek.catalogue.told import written
from fabriek.registry import bom, scores
from fabriek.registry.composition import Composition, Part, address
from fabriek.store.models import File

IT6 = Namespace("http://data.europa.eu/it6/")
SPDX_LICENCES = "https://spdx.org/licenses/"


def graph(made: Composition, files: Sequence[File] | None) -> Graph:
    """Write the record; `files` is None where this reader may not know them."""
    graph = new_graph()
    graph.bind("it6", IT6, replace=True)
    model = URIRef(made.url)
    _add_model(graph, model, made)
    _add_origin(graph, model, made)
    _add_figures(graph, model, made)
    _add_files(graph, model, made, files)
    return graph


def _add_model(graph: Graph, model: URIRef, made: Composition) -> None:
    row = made.model
    graph.add((model, RDF.type, IT6.MachineLearningModel))
    graph.add((model, DCTERMS.identifier, Literal(made.url)))
    graph.add((model, DCTERMS.title, Literal(written(row.title))))
    graph.add((model, DCAT.version, Literal(str(row.revision.number))))
    graph.add((model, DCTERMS.created, Literal(row.registered_at)))
    maker = URIRef(f"{made.url}#maker")
    graph.add((model, IT6.hasProvider, maker))
    add_agent(graph, maker, written(made.maker))
    _add_licence(graph, model, row.licence)
    graph.add((model, IT6.limitations, Literal(" ".join(bom.LIMITS), lang="en")))


def _add_licence(graph: Graph, thing: URIRef, licence: str) -> None:
    """Name a licence that everybody knows by its address, else by its name only."""
    known = bom.SPDX.get(licence.lower())
    named = URIRef(SPDX_LICENCES + known if known else f"{thing}#licence")
    graph.add((thing, DCTERMS.license, named))
    graph.add((named, RDF.type, DCTERMS.LicenseDocument))
    if not known:
        graph.add((named, DCTERMS.title, Literal(written(licence))))


# --- where it comes from -----------------------------------------------------------------
def _add_origin(graph: Graph, model: URIRef, made: Composition) -> None:
    for part in made.datasets:
        dataset = _add_dataset(graph, model, part.url, title=part.title, text=_said(part))
        graph.add((dataset, DCAT.version, Literal(part.reference.partition("@")[2])))
        _add_licence(graph, dataset, part.licence)
    if made.hidden or not made.datasets:
        title = "Data of others" if made.hidden else "Data that is not told here"
        text = "This reader may not know which data it is, or its makers did not say."
        _add_dataset(graph, model, f"{made.url}#untold", title=title, text=text)
    if made.base:
        # Without a type: it has a record of its own, which is the one to check.
        base = URIRef(made.base.url)
        graph.add((model, IT6.fineTunedFrom, base))
        graph.add((base, DCTERMS.title, Literal(written(made.base.title))))


def _add_dataset(graph: Graph, model: URIRef, url: str, *, title: str, text: str) -> URIRef:
    dataset = URIRef(url)
    graph.add((model, IT6.trainedOn, dataset))
    graph.add((dataset, RDF.type, DCAT.Dataset))
    graph.add((dataset, DCTERMS.identifier, Literal(url)))
    graph.add((dataset, DCTERMS.title, Literal(written(title))))
    graph.add((dataset, DCTERMS.description, Literal(text, lang="en")))
    return dataset


def _said(part: Part) -> str:
    personal = "It holds" if part.has_personal_data else "It holds no"
    return (
        f"Revision {part.reference}; the SHA-256 of its listing is {part.digest}. "
        f"{personal} personal data, according to its owner."
    )


# --- figures -----------------------------------------------------------------------------
def _add_figures(graph: Graph, model: URIRef, made: Composition) -> None:
    parameters = made.model.facts.get("parameters_total")
    if isinstance(parameters, int) and parameters > 0:
        count = Literal(str(parameters), datatype=XSD.nonNegativeInteger)
        graph.add((model, IT6.totalNumberOfParameters, count))
    if told := "; ".join(_results(made)):
        graph.add((model, IT6.evaluationResults, Literal(written(told), lang="en")))
    if process := " ".join(_process(made)):
        graph.add((model, IT6.trainingProcess, Literal(process, lang="en")))


def _results(made: Composition) -> list[str]:
    """Give the figures of after training, by the names that programs know."""
    found = scores.pairs(made.model.scores)
    return [f"{one.name} {one.after}" for one in found if one.after is not None]


def _process(made: Composition) -> list[str]:
    told = [f"Training compute: about {made.flop:.3g} FLOP."] if made.flop else []
    if made.energy:
        kwh = made.energy.watt_hours / bom.WH_PER_KWH
        told.append(f"Energy: {kwh:.6g} kWh. {made.energy.method}")
    return told


# --- files -------------------------------------------------------------------------------
def _add_files(
    graph: Graph, model: URIRef, made: Composition, files: Sequence[File] | None
) -> None:
    if not files:
        whole = URIRef(f"{made.url}#files")
        _add_file(graph, model, whole, url=made.url, title="All files", kind="files")
        return
    for file in files:
        link = reverse("registry:download", args=[made.model.code, file.path])
        node = URIRef(f"{made.url}#file-{quote(file.path, safe='')}")
        kind = file.path.rpartition(".")[2]
        _add_file(graph, model, node, url=address(link), title=file.path, kind=kind)
        checksum = URIRef(f"{node}-sha256")
        graph.add((node, SPDX.checksum, checksum))
        graph.add((checksum, RDF.type, SPDX.Checksum))
        graph.add((checksum, SPDX.algorithm, SPDX.checksumAlgorithm_sha256))
        graph.add((SPDX.checksumAlgorithm_sha256, RDF.type, SPDX.ChecksumAlgorithm))
        # Not `Literal(…)` of a value: rdflib would turn the digits into bytes and back.
        value = Literal(file.blob.sha256, datatype=XSD.hexBinary, normalize=False)
        graph.add((checksum, SPDX.checksumValue, value))


def _add_file(
    graph: Graph, model: URIRef, node: URIRef, *, url: str, title: str, kind: str
) -> None:
    graph.add((model, IT6.hasFile, node))
    graph.add((node, RDF.type, IT6.File))
    graph.add((node, DCTERMS.identifier, Literal(str(node))))
    graph.add((node, DCTERMS.title, Literal(written(title))))
    link = URIRef(url)
    graph.add((node, IT6.url, link))
    graph.add((link, RDF.type, DCAT.Resource))
    concept = URIRef(address(f"/models/#kind-{quote(kind, safe='')}"))
    add_concept(graph, node, DCTERMS["format"], concept, written(kind))
