"""Datasets as DCAT-AP-NL 3.0: the form in which other catalogues take them over.

Everything has an address of its own, none is a blank node: the same facts then give the same
bytes, and who harvests again can tell what changed.
"""

import json
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from urllib.parse import quote

from django.conf import settings
from rdflib import Graph, Literal, URIRef
from rdflib.namespace import DCTERMS, FOAF, ODRL2, PROV, RDF, RDFS, SKOS, XSD, Namespace

from fabriek.catalogue import told as facts
from fabriek.catalogue.told import Told, ToldFile
from fabriek.catalogue.vocabulary import (
    AUTHORITY,
    LANGUAGE_CODES,
    LICENCE_CODES,
    media_type,
)
from fabriek.datasets.models import Licence

# Not rdflib's own, which is of an older edition and warns of `version`.
DCAT = Namespace("http://www.w3.org/ns/dcat#")
ADMS = Namespace("http://www.w3.org/ns/adms#")
HYDRA = Namespace("http://www.w3.org/ns/hydra/core#")
LOCN = Namespace("http://www.w3.org/ns/locn#")
SPDX = Namespace("http://spdx.org/rdf/terms#")
VCARD = Namespace("http://www.w3.org/2006/vcard/ns#")
PROFILE = URIRef("https://docs.geostandaarden.nl/dcat/dcat-ap-nl30/")
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


@dataclass(frozen=True, kw_only=True, slots=True)
class Part:
    """One page of the whole catalogue, for harvesters. `suffix`: the format, as in .ttl."""

    number: int
    pages: int
    size: int
    count: int
    suffix: str


def one(told: Told) -> Graph:
    """Write one dataset with its record."""
    graph = _graph()
    _add_dataset(graph, told)
    return graph


def page(datasets: Sequence[Told], part: Part) -> Graph:
    """Write the catalogue itself and this page of its datasets."""
    graph = _graph()
    catalogue = URIRef(facts.address("/catalogue/"))
    _add_catalogue(graph, catalogue)
    for told in datasets:
        dataset = _add_dataset(graph, told)
        graph.add((catalogue, DCAT.dataset, dataset))
        graph.add((catalogue, DCAT.record, _at(told, "record")))
    _add_paging(graph, catalogue, part)
    return graph


def _graph() -> Graph:
    graph = Graph(bind_namespaces="none")
    for prefix, namespace in {
        "adms": ADMS,
        "dcat": DCAT,
        "dct": DCTERMS,
        "foaf": FOAF,
        "hydra": HYDRA,
        "locn": LOCN,
        "odrl": ODRL2,
        "prov": PROV,
        "skos": SKOS,
        "spdx": SPDX,
        "vcard": VCARD,
    }.items():
        graph.bind(prefix, namespace, replace=True)
    return graph


# --- the catalogue -----------------------------------------------------------------------
def _add_catalogue(graph: Graph, catalogue: URIRef) -> None:
    name = Literal(settings.FACTORY_NAME)
    publisher = URIRef(facts.address("/#factory"))
    contact = URIRef(facts.address("/catalogue/#contact"))
    graph.add((catalogue, RDF.type, DCAT.Catalog))
    titles = {"nl": "Datacatalogus van %s", "en": "Data catalogue of %s"}
    texts = {
        "nl": "Datasets die hun eigenaren hier vindbaar maken.",
        "en": "Datasets that their owners let others find here.",
    }
    for language, title in titles.items():
        said = title % settings.FACTORY_NAME
        graph.add((catalogue, DCTERMS.title, Literal(said, lang=language)))
        graph.add((catalogue, DCTERMS.description, Literal(texts[language], lang=language)))
        _add_concept(graph, catalogue, DCTERMS.language, _language(language), language)
    graph.add((catalogue, DCTERMS.publisher, publisher))
    _add_agent(graph, publisher, settings.FACTORY_NAME)
    graph.add((catalogue, DCAT.contactPoint, contact))
    graph.add((contact, RDF.type, VCARD.Kind))
    graph.add((contact, VCARD.fn, name))
    graph.add((contact, VCARD.hasURL, URIRef(facts.address("/"))))
    graph.add((catalogue, FOAF.homepage, catalogue))
    themes = URIRef(f"{AUTHORITY}/data-theme")
    graph.add((catalogue, DCAT.themeTaxonomy, themes))
    graph.add((themes, RDF.type, SKOS.ConceptScheme))
    graph.add((themes, DCTERMS.title, Literal("Data theme", lang="en")))


def _add_paging(graph: Graph, catalogue: URIRef, part: Part) -> None:
    """Lead on to the other pages, as harvesters of CKAN and of Hydra itself look for it."""

    def link(number: int) -> URIRef:
        return URIRef(facts.address(f"/catalogue.{part.suffix}?page={number}"))

    here = link(part.number)
    graph.add((catalogue, HYDRA.view, here))
    graph.add((here, RDF.type, HYDRA.PartialCollectionView))
    graph.add((here, RDF.type, HYDRA.PagedCollection))
    graph.add((here, HYDRA.totalItems, Literal(part.count)))
    graph.add((here, HYDRA.itemsPerPage, Literal(part.size)))
    graph.add((here, HYDRA.first, link(1)))
    graph.add((here, HYDRA.last, link(part.pages)))
    if part.number > 1:
        graph.add((here, HYDRA.previous, link(part.number - 1)))
    if part.number < part.pages:
        graph.add((here, HYDRA.next, link(part.number + 1)))


# --- a dataset ---------------------------------------------------------------------------
def _add_dataset(graph: Graph, told: Told) -> URIRef:
    dataset = URIRef(told.url)
    graph.add((dataset, RDF.type, DCAT.Dataset))
    graph.add((dataset, DCTERMS.identifier, Literal(told.url)))
    for language, title in told.titles.items():
        graph.add((dataset, DCTERMS.title, Literal(title, lang=language)))
    for language, text in told.texts.items():
        graph.add((dataset, DCTERMS.description, Literal(text, lang=language)))
    for word in told.keywords:
        graph.add((dataset, DCAT.keyword, Literal(word)))
    _add_people(graph, dataset, told)
    _add_concepts(graph, dataset, told)
    _add_coverage(graph, dataset, told)
    _add_history(graph, dataset, told)
    for distribution in _distributions(graph, told):
        graph.add((dataset, DCAT.distribution, distribution))
    if told.policy:
        _add_policy(graph, dataset, told.policy)
    return dataset


def _add_people(graph: Graph, dataset: URIRef, told: Told) -> None:
    publisher = URIRef(told.owner_url)
    graph.add((dataset, DCTERMS.publisher, publisher))
    _add_agent(graph, publisher, told.owner)
    if told.maker:
        maker = publisher if told.maker == told.owner else _at(told, "maker")
        graph.add((dataset, DCTERMS.creator, maker))
        _add_agent(graph, maker, told.maker)
    if told.contact_name or told.contact_email:
        contact = _at(told, "contact")
        graph.add((dataset, DCAT.contactPoint, contact))
        graph.add((contact, RDF.type, VCARD.Kind))
        graph.add((contact, VCARD.fn, Literal(told.contact_name or told.owner)))
        if told.contact_email:
            mail = quote(told.contact_email, safe="@+.-_")
            graph.add((contact, VCARD.hasEmail, URIRef(f"mailto:{mail}")))


def _add_concepts(graph: Graph, dataset: URIRef, told: Told) -> None:
    if told.theme:
        theme = URIRef(f"{AUTHORITY}/data-theme/{told.theme}")
        _add_concept(graph, dataset, DCAT.theme, theme, told.theme)
    if told.access:
        rights = URIRef(f"{AUTHORITY}/access-right/{told.access}")
        graph.add((dataset, DCTERMS.accessRights, rights))
        graph.add((rights, RDF.type, DCTERMS.RightsStatement))
    for language in told.languages:
        _add_concept(graph, dataset, DCTERMS.language, _language(language), language)
    if told.frequency:
        often = URIRef(f"{AUTHORITY}/frequency/{told.frequency}")
        graph.add((dataset, DCTERMS.accrualPeriodicity, often))
        graph.add((often, RDF.type, DCTERMS.Frequency))


def _add_coverage(graph: Graph, dataset: URIRef, told: Told) -> None:
    if told.period_from or told.period_until:
        period = _at(told, "period")
        graph.add((dataset, DCTERMS.temporal, period))
        graph.add((period, RDF.type, DCTERMS.PeriodOfTime))
        if told.period_from:
            graph.add((period, DCAT.startDate, Literal(told.period_from, datatype=XSD.date)))
        if told.period_until:
            graph.add((period, DCAT.endDate, Literal(told.period_until, datatype=XSD.date)))
    if told.place:
        place = _at(told, "place")
        graph.add((dataset, DCTERMS.spatial, place))
        graph.add((place, RDF.type, DCTERMS.Location))
        graph.add((place, LOCN.geographicName, Literal(told.place)))


def _add_history(graph: Graph, dataset: URIRef, told: Told) -> None:
    issued = told.published_at or told.created_at
    graph.add((dataset, DCTERMS.issued, Literal(issued)))
    graph.add((dataset, DCTERMS.modified, Literal(told.modified_at)))
    elsewhere = facts.web_address(told.landing_page)
    graph.add((dataset, DCAT.landingPage, URIRef(elsewhere or told.url)))
    if elsewhere:
        graph.add((URIRef(elsewhere), RDF.type, FOAF.Document))
    if told.revision is not None:
        graph.add((dataset, DCAT.version, Literal(str(told.revision))))
    if told.version_notes:
        graph.add((dataset, ADMS.versionNotes, Literal(told.version_notes)))
    if source := facts.web_address(told.source):
        graph.add((dataset, PROV.wasDerivedFrom, URIRef(source)))
    if story := "\n\n".join(filter(None, (told.how_collected, told.source))):
        provenance = _at(told, "provenance")
        graph.add((dataset, DCTERMS.provenance, provenance))
        graph.add((provenance, RDF.type, DCTERMS.ProvenanceStatement))
        graph.add((provenance, RDFS.label, Literal(story)))
    record = _at(told, "record")
    graph.add((record, RDF.type, DCAT.CatalogRecord))
    graph.add((record, FOAF.primaryTopic, dataset))
    graph.add((record, DCTERMS.modified, Literal(told.modified_at)))
    graph.add((record, DCTERMS.issued, Literal(issued)))
    graph.add((record, DCTERMS.conformsTo, PROFILE))
    graph.add((PROFILE, RDF.type, DCTERMS.Standard))
    for language in told.titles:
        _add_concept(graph, record, DCTERMS.language, _language(language), language)


# --- what can be had ---------------------------------------------------------------------
def _distributions(graph: Graph, told: Told) -> Iterable[URIRef]:
    if told.revision is None:
        return
    if told.files is None or len(told.files) > MOST_DISTRIBUTIONS:
        yield _whole(graph, told)
        return
    for file in told.files:
        yield _of_file(graph, told, file)


def _whole(graph: Graph, told: Told) -> URIRef:
    """Write all files of the newest revision as one: what is in it is for who may read it."""
    distribution = _at(told, "files")
    _add_distribution(graph, distribution, told, size_bytes=told.size_bytes)
    return distribution


def _of_file(graph: Graph, told: Told, file: ToldFile) -> URIRef:
    distribution = _at(told, f"file-{quote(file.path, safe='')}")
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
        rights = _at(told, "rights")
        graph.add((distribution, DCTERMS.rights, rights))
        graph.add((rights, RDF.type, DCTERMS.RightsStatement))
        graph.add((rights, RDFS.label, Literal("Bevat persoonsgegevens.", lang="nl")))
        graph.add((rights, RDFS.label, Literal("Contains personal data.", lang="en")))


def _licence(graph: Graph, told: Told) -> URIRef:
    """Name a licence that everybody knows by its address, else one of the dataset's own."""
    known = LICENCE_CODES.get(Licence(told.licence))
    licence = URIRef(f"{AUTHORITY}/licence/{known}") if known else _at(told, "licence")
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


# --- small things ------------------------------------------------------------------------
def _add_policy(graph: Graph, dataset: URIRef, policy: Mapping[str, object]) -> None:
    """Add the offer under which it can be had, as the agreements write it."""
    graph.add((dataset, ODRL2.hasPolicy, URIRef(f"{dataset}#offer")))
    graph.parse(data=json.dumps(policy), format="json-ld")


def _add_agent(graph: Graph, agent: URIRef, name: str) -> None:
    graph.add((agent, RDF.type, FOAF.Agent))
    graph.add((agent, FOAF.name, Literal(name)))


def _add_concept(
    graph: Graph, thing: URIRef, relation: URIRef, concept: URIRef, notation: str
) -> None:
    """Name a concept of another's list, with the type and label that readers check for."""
    graph.add((thing, relation, concept))
    is_language = relation == DCTERMS.language
    graph.add((concept, RDF.type, DCTERMS.LinguisticSystem if is_language else SKOS.Concept))
    if not is_language:
        graph.add((concept, SKOS.prefLabel, Literal(notation)))


def _language(code: str) -> URIRef:
    return URIRef(f"{AUTHORITY}/language/{LANGUAGE_CODES[code]}")


def _at(told: Told, part: str) -> URIRef:
    return URIRef(f"{told.url}#{part}")
