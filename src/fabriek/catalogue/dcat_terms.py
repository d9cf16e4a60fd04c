"""The words of RDF that a dataset is told in, and the small things each is made of."""

from rdflib import Graph, Literal, URIRef
from rdflib.namespace import DCTERMS, FOAF, ODRL2, PROV, RDF, SKOS, Namespace

from fabriek.catalogue.told import Told
from fabriek.catalogue.vocabulary import AUTHORITY, LANGUAGE_CODES

# Not rdflib's own, which is of an older edition and warns of `version`.
DCAT = Namespace("http://www.w3.org/ns/dcat#")
ADMS = Namespace("http://www.w3.org/ns/adms#")
HYDRA = Namespace("http://www.w3.org/ns/hydra/core#")
LOCN = Namespace("http://www.w3.org/ns/locn#")
SPDX = Namespace("http://spdx.org/rdf/terms#")
VCARD = Namespace("http://www.w3.org/2006/vcard/ns#")


def new_graph() -> Graph:
    made = Graph(bind_namespaces="none")
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
        made.bind(prefix, namespace, replace=True)
    return made


def add_agent(graph: Graph, agent: URIRef, name: str) -> None:
    graph.add((agent, RDF.type, FOAF.Agent))
    graph.add((agent, FOAF.name, Literal(name)))


def add_concept(
    graph: Graph, thing: URIRef, relation: URIRef, concept: URIRef, notation: str
) -> None:
    """Name a concept of another's list, with the type and label that readers check for."""
    graph.add((thing, relation, concept))
    is_language = relation == DCTERMS.language
    graph.add((concept, RDF.type, DCTERMS.LinguisticSystem if is_language else SKOS.Concept))
    if not is_language:
        graph.add((concept, SKOS.prefLabel, Literal(notation)))


def language_of(code: str) -> URIRef:
    return URIRef(f"{AUTHORITY}/language/{LANGUAGE_CODES[code]}")


def at(told: Told, part: str) -> URIRef:
    return URIRef(f"{told.url}#{part}")
