"""DCAT-AP-NL 3.0: valid, the same in each form, and never more than the reader may know."""

import os
import time
from pathlib import Path

import pyshacl
import pytest
from rdflib import Graph, URIRef
from rdflib.compare import isomorphic
from rdflib.namespace import DCTERMS, RDF

from fabriek.catalogue import actions, dcat, dcat_files, exports, queries
from fabriek.catalogue import told as facts
from fabriek.catalogue.models import Record
from fabriek.datasets.models import Dataset, Licence
from tests.catalogue.conftest import (
    MEMBERS,
    WHOLE,
    found_by_all,
    in_the_catalogue,
    opened,
    told_of,
)
from tests.catalogue.test_search import many
from tests.datasets.conftest import made, push
from tests.factories import a_person

pytestmark = [
    pytest.mark.django_db,
    # pyshacl and rdflib warn about their own ways.
    pytest.mark.filterwarnings("ignore::DeprecationWarning"),
]

ROOT = Path(__file__).resolve().parents[2]
OURS = Path(__file__).with_name("shapes.ttl")
# The shapes of the standards: whose licence is not stated, so they are not in this repository.
# They are in SEMICeu/DCAT-AP (releases/3.0.1/html/shacl) and in Geonovum/DCAT-AP-NL30.
THEIRS = Path(os.environ.get("FABRIEK_TEST_SHACL", ROOT.parent / "shared" / "data" / "shacl"))
NAMES = ("dcat-ap-3.0.1-shapes.ttl", "dcat-ap-nl-SHACL.ttl")
DCAT = "http://www.w3.org/ns/dcat#"
FORMS = {"ttl": "turtle", "jsonld": "json-ld", "rdf": "xml"}


def shapes_of_the_standards():
    missing = [name for name in NAMES if not (THEIRS / name).is_file()]
    if missing:
        pytest.skip(
            f"{', '.join(missing)} not in {THEIRS}: only our own shapes were held against"
        )
    graph = Graph()
    for name in NAMES:
        graph.parse(THEIRS / name)
    return graph


@pytest.fixture(params=["our own", "those of the standards"])
def shapes(request):
    return Graph().parse(OURS) if request.param == "our own" else shapes_of_the_standards()


def require_valid(graph, shapes):
    """Hold a graph against shapes; warnings count too, and are all listed."""
    conforms, _report, text = pyshacl.validate(graph, shacl_graph=shapes, allow_warnings=False)
    assert conforms, text


def read(client, address, form="turtle", **more):
    answer = client.get(address, **more)
    assert answer.status_code == 200, (address, answer.status_code)
    return Graph().parse(data=answer.content, format=form)


def of(dataset, person=None):
    return dcat.one(facts.of(queries.record_of(dataset), person))


def everything():
    """Make a record with nothing left empty, of an open dataset with files."""
    return opened(
        in_the_catalogue(
            files={"map/één bestand.csv": b"a,b\n1,2\n", "rows.parquet": b"PAR1", "x": b"1"},
            facts={"has_personal_data": True},
            period_from="2020-01-01",
            period_until="2020-12-31",
            version_notes="Better.",
            offer_purposes=["training", "statistics"],
            offer_product="model_api",
            offer_place="shared",
            offer_duties=["delete", "attribute"],
        )
    )


# --- valid -----------------------------------------------------------------------------------
def test_a_whole_record_is_valid(client, shapes):
    dataset = everything()

    require_valid(read(client, f"/catalogue/{dataset.code}.ttl"), shapes)
    require_valid(read(client, "/catalogue.ttl"), shapes)


@pytest.mark.parametrize("licence", Licence.values)
def test_the_least_that_everybody_may_find_is_valid_under_each_licence(client, shapes, licence):
    dataset = made(licence=licence, description="Kort.")
    least = {"theme", "maker", "contact_name", "contact_email", "access"}
    actions.edit(dataset, by=dataset.created_by, changes={name: WHOLE[name] for name in least})
    found_by_all(dataset)

    require_valid(read(client, "/catalogue.ttl"), shapes)


def test_our_shapes_catch_what_lacks():
    """Each thing that DCAT-AP-NL asks, taken away, is missed."""
    dataset = everything()
    whole = of(dataset)
    shapes = Graph().parse(OURS)
    for name in ("identifier", "title", "description", "publisher", "creator", "accessRights"):
        broken = Graph() + whole
        broken.remove((None, DCTERMS[name], None))
        assert not pyshacl.validate(broken, shacl_graph=shapes)[0], name
    for name in ("contactPoint", "theme", "accessURL"):
        broken = Graph() + whole
        broken.remove((None, URIRef(f"{DCAT}{name}"), None))
        assert not pyshacl.validate(broken, shacl_graph=shapes)[0], name


def test_the_standards_themselves_catch_what_lacks():
    shapes = shapes_of_the_standards()
    broken = of(everything())
    broken.remove((None, URIRef(f"{DCAT}theme"), None))

    assert not pyshacl.validate(broken, shacl_graph=shapes)[0]


def test_all_three_forms_say_the_same(client):
    dataset = everything()

    for address in (f"/catalogue/{dataset.code}", "/catalogue"):
        graphs = [read(client, f"{address}.{ending}", form) for ending, form in FORMS.items()]
        # The address of the next page names the form, so that paging stays within it.
        views = {
            s for graph in graphs for s in graph.subjects(RDF.type, dcat.HYDRA.PagedCollection)
        }
        for graph in graphs:
            for view in views:
                graph.remove((view, None, None))
                graph.remove((None, None, view))
        assert isomorphic(graphs[0], graphs[1])
        assert isomorphic(graphs[1], graphs[2])
        assert len(graphs[0]) > 60


def test_everything_filled_in_stands_there(client):
    dataset = everything()
    text = client.get(f"/catalogue/{dataset.code}.ttl").text

    for said in (
        "authority/data-theme/HEAL",
        "authority/access-right/PUBLIC",
        "authority/licence/CC_BY_4_0",
        "authority/language/NLD",
        "authority/frequency/NEVER",
        "mailto:data@noord.example",
        '"Berichten aan de zorgbalie"@nl',
        '"Messages to the care desk"@en',
        '"2020-12-31"^^xsd:date',
        '"8"^^xsd:nonNegativeInteger',
        "%C3%A9%C3%A9n%20bestand.csv",
        "odrl:hasPolicy",
        "odrl:Offer",
        'dcat:version "1"',
        "Bevat persoonsgegevens.",
        "prov:wasDerivedFrom <https://noord.example/berichten>",
        "dcat:landingPage <https://noord.example/over>",
    ):
        assert said in text, said


# --- who reads what --------------------------------------------------------------------------
def test_files_are_named_only_to_who_may_read_them(client, browser):
    dataset = in_the_catalogue(files={"geheime-naam.csv": b"a,b\n"})
    owner = browser(dataset.created_by)
    addresses = [f"/catalogue/{dataset.code}.{ending}" for ending in FORMS]
    addresses += [f"/catalogue.{ending}" for ending in FORMS]
    addresses += [f"/catalogue/{dataset.code}.croissant.json", f"/catalogue/{dataset.code}/"]

    for address in addresses:
        assert "geheime" not in client.get(address).text, address
        assert "geheime" not in browser(a_person(duty="staff")).get(address).text, address
        assert client.get(address).text.count("resolve/") == 0
    assert "geheime-naam.csv" in owner.get(addresses[0]).text
    assert "downloadURL" not in owner.get(addresses[0]).text

    opened(dataset)
    assert "downloadURL" in client.get(addresses[0]).text


def test_what_is_not_listed_is_unknown_in_every_form(client, browser):
    hidden = made()
    push(hidden, {"a.txt": b"1"})
    told_of(hidden)
    members = in_the_catalogue(listed_for=MEMBERS)
    stranger = browser(a_person())

    for ending in [*(f".{ending}" for ending in FORMS), ".croissant.json", "/"]:
        for code in (hidden.code, "D99-9999"):
            for visitor in (client, stranger):
                assert visitor.get(f"/catalogue/{code}{ending}").status_code == 404
        assert client.get(f"/catalogue/{members.code}{ending}").status_code == 404
        assert stranger.get(f"/catalogue/{members.code}{ending}").status_code == 200
    for ending in FORMS:
        text = stranger.get(f"/catalogue.{ending}").text
        assert hidden.code not in text
        assert members.code not in text


def test_a_program_reads_with_its_token(client, program):
    dataset = made(title="Van ons")
    push(dataset, {"ons.csv": b"a,b\n"})

    for ending in (".ttl", ".croissant.json"):
        address = f"/catalogue/{dataset.code}{ending}"
        assert "ons.csv" in program(dataset.created_by).get(address).text
        assert program(a_person()).get(address).status_code == 404
        wrong = client.get(address, headers={"Authorization": "Bearer fab_wrong"})
        assert wrong.status_code == 401
        assert client.get(address, headers={"Authorization": "Bearer"}).status_code == 401


# --- forms and headers -----------------------------------------------------------------------
@pytest.mark.parametrize(
    ("accept", "content_type"),
    [
        ("text/turtle", "text/turtle; charset=utf-8"),
        ("application/ld+json", "application/ld+json; charset=utf-8"),
        ("application/rdf+xml;q=0.9, application/pdf", "application/rdf+xml; charset=utf-8"),
        ("text/html,application/xhtml+xml,*/*;q=0.8", "text/html; charset=utf-8"),
        ("*/*", "text/html; charset=utf-8"),
        (None, "text/html; charset=utf-8"),
    ],
)
def test_the_accept_header_chooses_the_form(client, accept, content_type):
    dataset = in_the_catalogue()
    headers = {"Accept": accept} if accept else {}

    for address in ("/catalogue/", f"/catalogue/{dataset.code}/"):
        answer = client.get(address, headers=headers)
        assert answer["Content-Type"] == content_type
        assert "Accept" in answer["Vary"]


@pytest.mark.parametrize(
    "accept",
    ["application/pdf", "banana", "text/turtle;q=0", "///", "text", ", ,;=", "x" * 4000],
)
def test_a_form_that_is_not_there_gets_a_sentence(client, accept):
    dataset = in_the_catalogue()

    headers = {"Accept": accept, "Accept-Language": "en"}
    answer = client.get(f"/catalogue/{dataset.code}/", headers=headers)

    assert answer.status_code == 406
    assert "Ask for one of: text/html, text/turtle" in answer.text


def test_who_comes_back_is_told_that_nothing_changed(client):
    dataset = in_the_catalogue()

    for address in (f"/catalogue/{dataset.code}.ttl", "/catalogue.rdf"):
        first = client.get(address)
        again = client.get(address, headers={"If-None-Match": first["ETag"]})
        since = client.get(address, headers={"If-Modified-Since": first["Last-Modified"]})
        assert (again.status_code, again.content, since.status_code) == (304, b"", 304)

        told_of(dataset, place=f"Elders {address}")
        changed = client.get(address, headers={"If-None-Match": first["ETag"]})
        assert changed.status_code == 200
        assert "Elders" in changed.text


def test_the_same_facts_give_the_same_bytes(client):
    dataset = in_the_catalogue(files={"a.csv": b"a\n"})

    texts = {client.get(f"/catalogue/{dataset.code}.ttl").content for _ in range(3)}

    assert len(texts) == 1


# --- page by page ----------------------------------------------------------------------------
def test_a_harvester_goes_from_page_to_page(client, monkeypatch, settings):
    monkeypatch.setattr(exports, "PAGE_SIZE", 2)
    datasets = [in_the_catalogue() for _ in range(5)]
    in_the_catalogue(listed_for=MEMBERS)
    found, address, pages = [], "/catalogue.ttl", 0

    while address:
        graph = read(client, address)
        pages += 1
        found += graph.subjects(RDF.type, URIRef(f"{DCAT}Dataset"))
        assert [int(n) for n in graph.objects(None, dcat.HYDRA.totalItems)] == [5]
        following = list(graph.objects(None, dcat.HYDRA.next))
        address = str(following[0]).removeprefix(settings.FACTORY_URL) if following else ""

    assert pages == 3
    assert len(found) == 5
    assert set(found) == {
        URIRef(f"{settings.FACTORY_URL}/catalogue/{dataset.code}/") for dataset in datasets
    }


@pytest.mark.parametrize("page", ["0", "-1", "x", "9" * 5000, "2", "'"])
def test_a_page_that_is_not_there_is_one_that_is(client, page):
    in_the_catalogue()

    assert read(client, f"/catalogue.ttl?page={page}")


def test_an_empty_catalogue_is_no_mistake(client):
    graph = read(client, "/catalogue.ttl")

    assert [int(n) for n in graph.objects(None, dcat.HYDRA.totalItems)] == [0]


# Session-less: which page, its records, newest revisions; open datasets cost more.
@pytest.mark.parametrize("count", [1, 3])
def test_a_page_costs_the_same_queries_for_1_and_3(client, django_assert_num_queries, count):
    for _ in range(count):
        in_the_catalogue(files={"a.txt": b"1"})

    with django_assert_num_queries(2):
        client.get("/catalogue.ttl")


@pytest.mark.slow
def test_a_thousand_datasets_are_valid_and_paged_in_time(client):
    shapes = Graph().parse(OURS)
    many(1000)
    Record.objects.update(**{name: WHOLE[name] for name in ("maker", "contact_name", "theme")})
    Record.objects.update(
        contact_email=WHOLE["contact_email"], access="RESTRICTED", text_nl="x"
    )
    Dataset.objects.update(description="x")
    took_s = []

    for page in (1, 2, 10):
        began = time.process_time()
        graph = read(client, f"/catalogue.ttl?page={page}")
        took_s.append(time.process_time() - began)
        require_valid(graph, shapes)

    assert sum(took_s) < 60


# --- hostile ---------------------------------------------------------------------------------
EVIL = 'x"> <script>alert(1)</script> . <urn:a> <urn:b> "c" . """ \\u0022 \\" \' { } | ^ `'


def test_markup_and_quotes_stay_words_in_every_form(client):
    dataset = in_the_catalogue(
        title_nl=EVIL,
        text_nl=EVIL,
        keywords=[EVIL[:60], "'''", "\\", "<b>"],
        maker=EVIL,
        contact_name=EVIL,
        place=EVIL,
        how_collected=EVIL,
        source="https://x.nl/" + EVIL,
        landing_page='https://x.nl/"><script>alert(1)</script>{}|^`\\',
        version_notes=EVIL,
        files={'"><b> {é}|^`.csv': b"a,b\n1,2\n", "a%22b #?.txt": b"1"},
    )
    opened(dataset)
    graphs = [
        read(client, f"/catalogue/{dataset.code}.{ending}", form)
        for ending, form in FORMS.items()
    ]

    assert isomorphic(graphs[0], graphs[1])
    assert isomorphic(graphs[1], graphs[2])
    assert not list(graphs[0].subject_objects(URIRef("urn:b")))
    assert EVIL in {str(title) for title in graphs[0].objects(None, DCTERMS.title)}
    for term in graphs[0].all_nodes() | set(graphs[0].predicates()):
        if isinstance(term, URIRef):
            assert not set(' <>"{}|^`\\\n') & set(term), term
    page = client.get(f"/catalogue/{dataset.code}/").text
    assert "<script>alert" not in page
    assert "&lt;script&gt;alert" in page


def test_signs_that_no_form_can_carry_are_left_out(client):
    dataset = in_the_catalogue()
    # The room of datasets lets these through; nothing else could bring them here.
    Dataset.objects.filter(pk=dataset.pk).update(title="a\x01b\x0bc\ufffed")
    Record.objects.update(title_nl="", title_en="")

    for ending, form in FORMS.items():
        graph = read(client, f"/catalogue/{dataset.code}.{ending}", form)
        assert "abcd" in {str(title) for title in graph.objects(None, DCTERMS.title)}


def test_a_record_of_others_is_not_opened_by_a_strange_code(client):
    for code in ("..", "%2e%2e", "D26-0001%00", "a" * 3000, "D26-0001;"):
        for ending in (".ttl", ".croissant.json", "/"):
            assert client.get(f"/catalogue/{code}{ending}").status_code == 404


def test_nothing_but_reading_is_answered(client):
    dataset = in_the_catalogue()

    for address in (f"/catalogue/{dataset.code}.ttl", "/catalogue.ttl", "/catalogue/"):
        assert client.post(address).status_code == 405
        assert client.head(address).status_code == 200


@pytest.mark.parametrize("source", ["http://[x", "http://a\u2100b/"])
def test_an_address_that_was_taken_before_breaks_no_page(client, source):
    dataset = in_the_catalogue()
    Record.objects.update(source=source, landing_page=source)

    for address in (f"/catalogue/{dataset.code}", "/catalogue"):
        for ending, form in FORMS.items():
            assert URIRef(facts.of(queries.record_of(dataset), None).url) in set(
                read(client, f"{address}.{ending}", form).subjects()
            )


def test_one_that_cannot_be_written_is_left_out_and_the_page_stays(client, monkeypatch):
    bad, good = in_the_catalogue(), in_the_catalogue()
    write = dcat_files.distributions

    def breaking(graph, told):
        if told.code == bad.code:
            raise ValueError("no form can hold it")
        return write(graph, told)

    monkeypatch.setattr(dcat_files, "distributions", breaking)

    said = client.get("/catalogue.ttl").text

    assert f"/catalogue/{good.code}/" in said
    assert f"/catalogue/{bad.code}/" not in said
