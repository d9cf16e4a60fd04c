"""The papers of a model: valid by their standards, and never more than the reader may know."""

import json
import os
from io import StringIO
from pathlib import Path

import pyshacl
import pytest
from cyclonedx.schema import SchemaVersion
from cyclonedx.validation.json import JsonStrictValidator
from django.core.management import call_command
from rdflib import Graph, Namespace, URIRef
from rdflib.compare import isomorphic
from rdflib.namespace import DCTERMS, RDF

from fabriek.datasets.models import Licence
from fabriek.kernel.errors import Invalid
from fabriek.registry import actions, card
from fabriek.registry.models import Model
from fabriek_recipes.evaluation import Evaluation, Score
from tests.factories import a_person, an_organisation, staff
from tests.registry.test_faces import a_trained_model, an_open_model
from tests.registry.worlds import a_consortium, a_finished_run, plain_model, some_data

pytestmark = [
    pytest.mark.django_db,
    # pyshacl and rdflib warn about their own ways.
    pytest.mark.filterwarnings("ignore::DeprecationWarning"),
]

IT6 = Namespace("http://data.europa.eu/it6/")
OURS = Path(__file__).with_name("mldcat.ttl")
# The standard's own shapes (CC BY 4.0): SEMICeu/MLDCAT-AP, releases/3.1.0/shacl.
THEIRS = os.environ.get("FABRIEK_TEST_MLDCAT", "")
SCHEMA = JsonStrictValidator(SchemaVersion.V1_6)  # which takes seconds to get ready


def bill_of(reader, model):
    answer = reader.get(f"/api/models/{model.code}/bom")
    assert answer.status_code == 200
    return answer.json()


def record_of(reader, model, ending="ttl", form="turtle"):
    answer = reader.get(f"/api/models/{model.code}/record.{ending}")
    assert answer.status_code == 200
    return Graph().parse(data=answer.content, format=form)


def brought_in(folder, **about):
    return actions.bring_in(
        plain_model(folder),
        title="Small base",
        licence="apache-2.0",
        organisation=an_organisation(),
        by=staff(),
        **about,
    )


def a_model_of_lent_data():
    """Make a model of data of another case, which its reader has no right to know of."""
    case, _lead, member = a_consortium()
    other, _their_lead, _their_member = a_consortium()
    theirs = some_data(other, code="D26-9002", title="Secret recipes of a rival")
    own = some_data(case)
    return actions.register(a_finished_run(case=case, data=[own, theirs])), member


# --- the bill of materials ---------------------------------------------------------------
def test_the_bill_is_valid_by_the_schema_of_the_standard(program, tmp_path):
    base = an_open_model(tmp_path)
    case, _lead, member = a_consortium()
    data = [
        some_data(case, code=f"D26-90{at:02}", licence=licence, has_personal_data=True)
        for at, licence in enumerate(Licence.values)
    ]
    model = actions.register(a_finished_run(case=case, data=data, base=base))

    for reader, one in ((member, model), (a_person(), base)):
        text = json.dumps(bill_of(program(reader), one))

        assert SCHEMA.validate_str(text) is None


def test_the_validator_finds_what_is_wrong(program):
    model, _lead, member = a_trained_model()
    bill = bill_of(program(member), model)

    del bill["metadata"]["component"]["name"]

    assert SCHEMA.validate_str(json.dumps(bill)) is not None


def test_the_bill_names_data_base_and_libraries_with_digests_and_licences(program, tmp_path):
    base = an_open_model(tmp_path)
    model, _lead, member = a_trained_model(base=base)
    row = model.run.inputs.get(name="dataset").revision
    sure = Score(name="exact_match", value=0.92, low=0.84, high=0.96)
    found = Evaluation(rows=90, scores=[sure]).model_dump(mode="json")
    Model.objects.filter(pk=model.pk).update(evaluation=found)

    bill = bill_of(program(member), model)

    made = bill["metadata"]["component"]
    assert (made["type"], made["bom-ref"]) == ("machine-learning-model", f"{model.code}@1")
    assert made["modelCard"]["modelParameters"]["datasets"] == [{"ref": "D26-9001@1"}]
    measured = made["modelCard"]["quantitativeAnalysis"]["performanceMetrics"]
    bounds = {(one["type"], one["slice"]): one.get("confidenceInterval") for one in measured}
    between = {"lowerBound": "0.84", "upperBound": "0.96"}
    assert bounds["exact_match", "after training"] == between
    assert bounds["exact_match", "before training"] is None
    assert SCHEMA.validate_str(json.dumps(bill)) is None
    parts = {one["bom-ref"]: one for one in bill["components"]}
    assert list(parts) == ["D26-9001@1", f"{base.code}@1", "pkg:pypi/torch@2"]
    data, model_below, torch = parts.values()
    assert data["licenses"] == [{"license": {"name": "consortium-only"}}]
    assert data["properties"] == [{"name": "fabriek:sha256-of-listing", "value": row.digest}]
    assert model_below["licenses"] == [{"license": {"id": "Apache-2.0"}}]
    assert torch["version"] == "2"
    assert made["pedigree"]["ancestors"][0]["name"] == base.title
    assert bill["dependencies"] == [{"ref": f"{model.code}@1", "dependsOn": list(parts)}]


def test_the_same_facts_give_the_same_bill(program):
    model, lead, member = a_trained_model()

    assert bill_of(program(member), model) == bill_of(program(lead), model)


def test_only_sound_names_of_libraries_are_kept():
    run = a_finished_run()
    versions = {"torch": "2.13.0+cu130", "<b>": "1", "x": ["1"], "y": "1 && 2", "z": 3}
    (run.folder / "outputs/report.json").write_text(json.dumps({"versions": versions}))

    assert actions.register(run).versions == {"torch": "2.13.0+cu130"}


# --- the record --------------------------------------------------------------------------
def test_the_record_is_valid_and_the_same_in_each_form(program, tmp_path):
    base = an_open_model(tmp_path)
    model, _lead, member = a_trained_model(base=base)
    reader = program(member)

    for one in (base, model):
        record = record_of(reader, one)
        conforms, _report, text = pyshacl.validate(record, shacl_graph=Graph().parse(OURS))
        assert conforms, text
        for ending, form in (("jsonld", "json-ld"), ("rdf", "xml")):
            assert isomorphic(record, record_of(reader, one, ending, form))


def test_our_shapes_catch_what_lacks(program):
    model, _lead, member = a_trained_model()
    record = record_of(program(member), model)
    shapes = Graph().parse(OURS)

    for lacking in (DCTERMS.title, DCTERMS.created, IT6.hasFile, IT6.trainedOn, IT6.url):
        broken = Graph()
        for triple in record:
            if triple[1] != lacking:
                broken.add(triple)

        assert not pyshacl.validate(broken, shacl_graph=shapes)[0], lacking


@pytest.mark.skipif(not THEIRS, reason="FABRIEK_TEST_MLDCAT names no shapes")
def test_the_shapes_of_the_standard_miss_only_when_data_was_collected(program, tmp_path):
    base = an_open_model(tmp_path)
    model, _lead, member = a_trained_model(base=base)
    both = record_of(program(member), model) + record_of(program(member), base)

    _conforms, report, _text = pyshacl.validate(both, shacl_graph=Graph().parse(THEIRS))

    path = URIRef("http://www.w3.org/ns/shacl#resultPath")
    assert set(report.objects(None, path)) == {IT6.collectionDate}


def test_the_record_tells_base_data_files_and_figures(program, tmp_path):
    base = an_open_model(tmp_path)
    model, _lead, member = a_trained_model(base=base)
    node = URIRef(f"http://localhost:8000/models/{model.code}/")

    record = record_of(program(member), model)

    assert (node, RDF.type, IT6.MachineLearningModel) in record
    data = URIRef("http://localhost:8000/data/D26-9001/revisions/1/")
    assert list(record.objects(node, IT6.trainedOn)) == [data]
    below = URIRef(f"http://localhost:8000/models/{base.code}/")
    assert list(record.objects(node, IT6.fineTunedFrom)) == [below]
    assert len(list(record.objects(node, IT6.hasFile))) == model.revision.file_count
    assert str(record.value(node, IT6.totalNumberOfParameters)) == "8"


def test_names_that_no_format_can_carry_are_written_without_them(program):
    case, _lead, member = a_consortium()
    run = a_finished_run(case=case, scores={"odd\x01name_after": 0.5})
    model = actions.register(run)

    record = record_of(program(member), model, "rdf", "xml")

    told = [str(one) for one in record.objects(None, IT6.evaluationResults)]
    assert told == ["oddname 0.5"]


@pytest.mark.parametrize("count", [1, 3])
@pytest.mark.parametrize(("paper", "queries"), [("bom", 5), ("record.ttl", 6)])
def test_papers_cost_the_same_for_one_dataset_and_for_three(
    program, django_assert_num_queries, count, paper, queries
):
    case, _lead, member = a_consortium()
    data = [some_data(case, code=f"D26-900{number}") for number in range(count)]
    model = actions.register(a_finished_run(case=case, data=data))
    reader = program(member)

    with django_assert_num_queries(queries):
        reader.get(f"/api/models/{model.code}/{paper}")


def test_there_is_no_record_in_a_form_that_nobody_reads(program):
    model, _lead, member = a_trained_model()

    assert program(member).get(f"/api/models/{model.code}/record.exe").status_code == 404


# --- who may know what -------------------------------------------------------------------
PAPERS = ("bom", "record.ttl", "record.jsonld", "record.rdf")


def test_data_of_others_is_counted_and_not_named(program, browser):
    model, member = a_model_of_lent_data()
    reader = program(member)

    bill = bill_of(reader, model)
    told = [reader.get(f"/api/models/{model.code}/{paper}") for paper in PAPERS]
    page = browser(member).get(model.get_absolute_url())

    for answer in (*told, page):
        text = answer.content.decode()
        assert "Secret recipes" not in text
        assert "D26-9002" not in text
    assert [one["bom-ref"] for one in bill["components"][:-1]] == ["D26-9001@1"]
    assert bill["compositions"][0]["aggregate"] == "incomplete"
    assert "Data of others" in told[1].content.decode()


def test_an_open_model_tells_others_nothing_of_its_data(program):
    model, _lead, _member = a_trained_model()
    model.repository.is_open = True
    model.repository.save()

    for paper in PAPERS:
        text = program(a_person()).get(f"/api/models/{model.code}/{paper}").content.decode()

        assert "D26-9001" not in text
        assert "Messages to the desk" not in text.replace(model.title, "")


@pytest.mark.parametrize("make", [a_person, staff])
def test_strangers_get_no_papers(program, browser, client, make):
    model, _lead, _member = a_trained_model()
    reader = make()

    for paper in PAPERS:
        assert program(reader).get(f"/api/models/{model.code}/{paper}").status_code == 404
    for paper in ("bom.cdx.json", "record.ttl"):
        assert browser(reader).get(f"/models/{model.code}/{paper}").status_code == 404
        assert client.get(f"/models/{model.code}/{paper}").status_code == 302


# --- what the AI Act asks about ----------------------------------------------------------
def test_the_compute_of_a_base_that_was_made_here_is_counted(browser):
    case, _lead, member = a_consortium()
    first = actions.register(a_finished_run(case=case))
    second = actions.register(a_finished_run(case=case, base=first))
    third = actions.register(a_finished_run(case=case, base=second))

    page = browser(member).get(third.get_absolute_url()).content.decode()

    assert card.BASE_FLOP not in first.facts
    assert [one.facts[card.BASE_FLOP] for one in (second, third)] == [1.5e12, 3e12]
    assert "about 3e+12 FLOP as declared for it, is counted with it" in third.card
    assert "1.5 × 10¹² FLOP" in page
    assert "3.0 × 10¹² FLOP" in page


def test_the_compute_that_makers_elsewhere_declare_is_counted(browser, tmp_path):
    base = brought_in(tmp_path / "base", training_flop=2e23)
    case, _lead, member = a_consortium()

    model = actions.register(a_finished_run(case=case, base=base))

    page = browser(member).get(model.get_absolute_url()).content.decode()
    assert model.facts[card.BASE_FLOP] == 2e23
    assert "above the 1e23" in model.card
    assert "2.0 × 10²³ FLOP" in page
    assert "Above the 10²³ FLOP" in page


def test_staff_declare_it_where_they_bring_the_model_in(tmp_path):
    owner, person = an_organisation(), staff()
    folder = plain_model(tmp_path / "base")
    about = {"title": "Base", "licence": "mit", "training_flop": 6.4e22, "by": person.email}

    call_command(
        "import_model", folder, organisation=owner.kvk_number, stdout=StringIO(), **about
    )

    assert Model.objects.get().facts["flop_estimate"] == 6.4e22


@pytest.mark.parametrize("flop", [0, -1, float("nan"), float("inf"), 1e31])
def test_a_compute_that_cannot_be_is_refused_before_anything_is_kept(tmp_path, flop):
    with pytest.raises(Invalid, match="a number of FLOP"):
        brought_in(tmp_path / "base", training_flop=flop)

    assert not Model.objects.exists()


def test_a_run_cannot_tell_the_compute_of_its_base():
    run = a_finished_run()
    report = {card.BASE_FLOP: 1, "flop_estimate": 2e12}
    (run.folder / "outputs/report.json").write_text(json.dumps(report))

    assert actions.register(run).facts == {"parameters_total": 8, "flop_estimate": 2e12}


def test_what_is_not_known_is_said(browser, tmp_path):
    base = an_open_model(tmp_path)
    case, _lead, member = a_consortium()
    model = actions.register(a_finished_run(case=case, base=base))

    page = browser(member).get(model.get_absolute_url()).content.decode()

    assert "its makers did not tell us" in page
    assert "that of a base model is not declared, and not counted here" in model.card


def test_the_card_sums_up_the_content_in_the_order_of_the_template():
    case, _lead, _member = a_consortium()
    data = some_data(case, has_personal_data=True)

    told = actions.register(a_finished_run(case=case, data=[data])).card

    summary = told.partition("## Public summary of training content")[2]
    heads = [line for line in summary.splitlines() if line[:4] == "### " or line[:2] == "2."]
    assert [head[:5] for head in heads] == [
        "### 1",
        "### 2",
        "2.1 P",
        "2.2 P",
        "2.3 D",
        "2.4 U",
        "2.5 S",
        "2.6 O",
        "### 3",
    ]
    assert "810 rows, 123,456 tokens seen" in summary
    assert "Personal data: at least one dataset holds it" in summary
    own = summary.partition("2.6 Other")[2].partition("### 3")[0]
    assert "D26-9001@1" in own
