"""What of a dataset can be had, as DCAT has it: its files, or all of them as one."""

from collections.abc import Iterable, Mapping
from urllib.parse import quote

from rdflib import Graph, Literal, URIRef
from rdflib.namespace import DCTERMS, RDF, RDFS, XSD

from fabriek.catalogue import told as facts
from fabriek.catalogue.dcat_terms import DCAT, SPDX, at
from fabriek.catalogue.told import Told, ToldFile
from fabriek.catalogue.vocabulary import AUTHORITY, LICENCE_CODES, media_type
from fabriek.datasets.models import Licence

# Of more files each its own distribution would say less than one for all of them.
MOST_DISTRIBUTIONS = 20
# Which of our media types the Union's own list of kinds of files knows, and how.
FILE_TYPES = {
    "text/csv": "CSV",
    "text/tab-separated-values": "TSV",
    "application/json": "JSON",
    "application/vnd.apache.parquet": "PARQUET",
    "text/plain": "TXT",
    "application/xml": "XML",
    "application/pdf": "PDF",
    "application/zip": "ZIP",
    "image/jpeg": "JPEG",
    "image/png": "PNG",
}


def distributions(graph: Graph, told: Told) -> Iterable[URIRef]:
    if told.revision is None:
        return
    if told.files is None or len(told.files) > MOST_DISTRIBUTIONS:
        yield _whole(graph, told)
        return
    for file in told.files:
        yield _of_file(graph, told, file)


def _whole(graph: Graph, told: Told) -> URIRef:
    """Write all files of the newest revision as one: what is in it is for who may read it."""
    distribution = at(told, "files")
    _add_distribution(graph, distribution, told, size_bytes=told.size_bytes)
    return distribution


def _of_file(graph: Graph, told: Told, file: ToldFile) -> URIRef:
    distribution = at(told, f"file-{quote(file.path, safe='')}")
    _add_distribution(graph, distribution, told, size_bytes=file.size_bytes)
    graph.add((distribution, DCTERMS.title, Literal(facts.written(file.path))))
    kind = media_type(file.path)
    media = URIRef(f"https://www.iana.org/assignments/media-types/{kind}")
    graph.add((distribution, DCAT.mediaType, media))
    graph.add((media, RDF.type, DCTERMS.MediaType))
    if kind in FILE_TYPES:
        format_ = URIRef(f"{AUTHORITY}/file-type/{FILE_TYPES[kind]}")
        graph.add((distribution, DCTERMS["format"], format_))
        graph.add((format_, RDF.type, DCTERMS.MediaTypeOrExtent))
    if told.is_open:
        link = URIRef(facts.resolved(told, file.path))
        graph.add((distribution, DCAT.downloadURL, link))
    checksum = URIRef(f"{distribution}-sha256")
    graph.add((distribution, SPDX.checksum, checksum))
    graph.add((checksum, RDF.type, SPDX.Checksum))
    graph.add((checksum, SPDX.algorithm, SPDX.checksumAlgorithm_sha256))
    graph.add((SPDX.checksumAlgorithm_sha256, RDF.type, SPDX.ChecksumAlgorithm))
    # Not `Literal(…)` of a value: rdflib would turn the digits into bytes and back.
    value = Literal(file.sha256, datatype=XSD.hexBinary, normalize=False)
    graph.add((checksum, SPDX.checksumValue, value))
    return distribution


def _add_distribution(
    graph: Graph, distribution: URIRef, told: Told, *, size_bytes: int
) -> None:
    graph.add((distribution, RDF.type, DCAT.Distribution))
    graph.add((distribution, DCAT.accessURL, URIRef(told.url)))
    size = Literal(size_bytes, datatype=XSD.nonNegativeInteger)
    graph.add((distribution, DCAT.byteSize, size))
    graph.add((distribution, DCTERMS.modified, Literal(told.modified_at)))
    licence = _licence(graph, told)
    graph.add((distribution, DCTERMS.license, licence))
    if told.has_personal_data:
        rights = at(told, "rights")
        graph.add((distribution, DCTERMS.rights, rights))
        graph.add((rights, RDF.type, DCTERMS.RightsStatement))
        graph.add((rights, RDFS.label, Literal("Bevat persoonsgegevens.", lang="nl")))
        graph.add((rights, RDFS.label, Literal("Contains personal data.", lang="en")))


def _licence(graph: Graph, told: Told) -> URIRef:
    """Name a licence that everybody knows by its address, else one of the dataset's own."""
    known = LICENCE_CODES.get(Licence(told.licence))
    licence = URIRef(f"{AUTHORITY}/licence/{known}") if known else at(told, "licence")
    graph.add((licence, RDF.type, DCTERMS.LicenseDocument))
    if not known:
        said = UNKNOWN_LICENCES[Licence(told.licence)]
        for language, words in said.items():
            graph.add((licence, RDFS.label, Literal(words, lang=language)))
    return licence


UNKNOWN_LICENCES: dict[Licence, Mapping[str, str]] = {
    Licence.CONSORTIUM: {
        "nl": "Alleen voor het consortium; anderen hebben een afspraak met de eigenaar nodig.",
        "en": "For the consortium only; others need an agreement with the owner.",
    },
    Licence.OTHER: {
        "nl": "Andere voorwaarden: zie de beschrijving.",
        "en": "Other terms: see the description.",
    },
}
