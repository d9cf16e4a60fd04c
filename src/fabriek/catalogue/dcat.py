"""Datasets as DCAT-AP-NL 3.0: the form in which other catalogues take them over.

Everything but the inside of an offer has an address of its own: the same facts then give the
same bytes, and who harvests again can tell what changed.
"""

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from urllib.parse import quote

from django.conf import settings
from rdflib import Graph, Literal, URIRef
from rdflib.namespace import DCTERMS, FOAF, ODRL2, PROV, RDF, RDFS, SKOS, XSD

from fabriek.catalogue import dcat_files
from fabriek.catalogue import told as facts
from fabriek.catalogue.dcat_terms import (
    ADMS,
    DCAT,
    HYDRA,
    LOCN,
    VCARD,
    add_agent,
    add_concept,
    at,
    language_of,
    new_graph,
)
from fabriek.catalogue.told import Told
from fabriek.catalogue.vocabulary import AUTHORITY

PROFILE = URIRef("https://docs.geostandaarden.nl/dcat/dcat-ap-nl30/")


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
    graph = new_graph()
    _add_dataset(graph, told)
    return graph


def page(datasets: Sequence[Told], part: Part) -> Graph:
    """Write the catalogue itself and this page of its datasets."""
    graph = new_graph()
    catalogue = URIRef(facts.address("/catalogue/"))
    _add_catalogue(graph, catalogue)
    for told in datasets:
        dataset = _add_dataset(graph, told)
        graph.add((catalogue, DCAT.dataset, dataset))
        graph.add((catalogue, DCAT.record, at(told, "record")))
    _add_paging(graph, catalogue, part)
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
        add_concept(graph, catalogue, DCTERMS.language, language_of(language), language)
    graph.add((catalogue, DCTERMS.publisher, publisher))
    add_agent(graph, publisher, settings.FACTORY_NAME)
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
    for distribution in dcat_files.distributions(graph, told):
        graph.add((dataset, DCAT.distribution, distribution))
    if told.policy:
        _add_policy(graph, dataset, told.policy)
    return dataset


def _add_people(graph: Graph, dataset: URIRef, told: Told) -> None:
    publisher = URIRef(told.owner_url)
    graph.add((dataset, DCTERMS.publisher, publisher))
    add_agent(graph, publisher, told.owner)
    if told.maker:
        maker = publisher if told.maker == told.owner else at(told, "maker")
        graph.add((dataset, DCTERMS.creator, maker))
        add_agent(graph, maker, told.maker)
    if told.contact_name or told.contact_email:
        contact = at(told, "contact")
        graph.add((dataset, DCAT.contactPoint, contact))
        graph.add((contact, RDF.type, VCARD.Kind))
        graph.add((contact, VCARD.fn, Literal(told.contact_name or told.owner)))
        if told.contact_email:
            mail = quote(told.contact_email, safe="@+.-_")
            graph.add((contact, VCARD.hasEmail, URIRef(f"mailto:{mail}")))


def _add_concepts(graph: Graph, dataset: URIRef, told: Told) -> None:
    if told.theme:
        theme = URIRef(f"{AUTHORITY}/data-theme/{told.theme}")
        add_concept(graph, dataset, DCAT.theme, theme, told.theme)
    if told.access:
        rights = URIRef(f"{AUTHORITY}/access-right/{told.access}")
        graph.add((dataset, DCTERMS.accessRights, rights))
        graph.add((rights, RDF.type, DCTERMS.RightsStatement))
    for language in told.languages:
        add_concept(graph, dataset, DCTERMS.language, language_of(language), language)
    if told.frequency:
        often = URIRef(f"{AUTHORITY}/frequency/{told.frequency}")
        graph.add((dataset, DCTERMS.accrualPeriodicity, often))
        graph.add((often, RDF.type, DCTERMS.Frequency))


def _add_coverage(graph: Graph, dataset: URIRef, told: Told) -> None:
    if told.period_from or told.period_until:
        period = at(told, "period")
        graph.add((dataset, DCTERMS.temporal, period))
        graph.add((period, RDF.type, DCTERMS.PeriodOfTime))
        if told.period_from:
            graph.add((period, DCAT.startDate, Literal(told.period_from, datatype=XSD.date)))
        if told.period_until:
            graph.add((period, DCAT.endDate, Literal(told.period_until, datatype=XSD.date)))
    if told.place:
        place = at(told, "place")
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
        provenance = at(told, "provenance")
        graph.add((dataset, DCTERMS.provenance, provenance))
        graph.add((provenance, RDF.type, DCTERMS.ProvenanceStatement))
        graph.add((provenance, RDFS.label, Literal(story)))
    record = at(told, "record")
    graph.add((record, RDF.type, DCAT.CatalogRecord))
    graph.add((record, FOAF.primaryTopic, dataset))
    graph.add((record, DCTERMS.modified, Literal(told.modified_at)))
    graph.add((record, DCTERMS.issued, Literal(issued)))
    graph.add((record, DCTERMS.conformsTo, PROFILE))
    graph.add((PROFILE, RDF.type, DCTERMS.Standard))
    for language in told.titles:
        add_concept(graph, record, DCTERMS.language, language_of(language), language)


def _add_policy(graph: Graph, dataset: URIRef, policy: Mapping[str, object]) -> None:
    """Add the offer under which it can be had, as the agreements write it."""
    graph.add((dataset, ODRL2.hasPolicy, URIRef(f"{dataset}#offer")))
    graph.parse(data=json.dumps(policy), format="json-ld")
