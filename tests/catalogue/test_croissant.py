"""Croissant 1.1: valid in the reference implementation, and its rows really loaded."""

import io
import json

import mlcroissant
import pyarrow as pa
import pytest
from pyarrow import parquet

from fabriek.catalogue import columns, croissant
from fabriek.catalogue.columns import Column
from fabriek.catalogue.vocabulary import LICENCE_TEXTS
from tests.catalogue.conftest import in_the_catalogue, opened
from tests.datasets.conftest import made
from tests.factories import a_person

pytestmark = [pytest.mark.django_db, pytest.mark.filterwarnings("ignore")]

CSV = b'id,tekst,deel,ja,dag\n1,hallo,0.5,true,2024-01-01\n2,"dag, hoor",1.5,false,2024-02-01\n'
JSONL = (
    b'{"prompt": "Hoi", "completion": "balie", "n": 1, "tags": ["a", "b"]}\n'
    b'{"prompt": "Au", "completion": "arts", "n": 2, "tags": ["c"]}\n'
)
# What the specification requires of each; the reference implementation misses some of it.
REQUIRED = {"@context", "@type", "conformsTo", "name", "description", "license", "url"}
REQUIRED |= {"creator", "datePublished"}
REQUIRED_OF_FILES = {"@id", "@type", "name", "contentUrl", "encodingFormat", "sha256"}


def a_table():
    sink = io.BytesIO()
    parquet.write_table(pa.table({"x": [1, 2, 3], "naam": ["a", "b", "c"]}), sink)
    return sink.getvalue()


def files():
    return {"data/train.csv": CSV, "data/test.jsonl": JSONL, "valid.parquet": a_table()}


def fetched(client, dataset):
    answer = client.get(f"/catalogue/{dataset.code}.croissant.json")
    assert answer.status_code == 200
    assert answer["Content-Type"] == "application/ld+json; charset=utf-8"
    return json.loads(answer.content)


def kept(found, folder, content):
    """Put the files where a client would have them, by the number of each."""
    mapping = {}
    for number, each in enumerate(found["distribution"]):
        path = folder / f"{number}{each['name'].replace('/', '_')}"
        path.write_bytes(content[each["name"]])
        mapping[each["@id"]] = path
    return mapping


def rows(dataset, record_set):
    """Read all rows; texts come as bytes."""

    def said(value):
        if isinstance(value, list):
            return [said(each) for each in value]
        return value.decode() if isinstance(value, bytes) else value

    return [
        {name.rpartition("/")[2]: said(value) for name, value in row.items()}
        for row in dataset.records(record_set)
    ]


def require_complete(found):
    assert REQUIRED - found.keys() == set()
    assert all(found[name] for name in REQUIRED)
    for each in found.get("distribution", []):
        if each["@type"] == "cr:FileObject":
            assert REQUIRED_OF_FILES - each.keys() == set()
            assert len(each["sha256"]) == 64


def test_it_is_valid_and_its_rows_load(client, tmp_path):
    dataset = opened(
        in_the_catalogue(
            files=files(),
            facts={"has_personal_data": True},
            offer_purposes=["training"],
            offer_product="model_api",
            offer_place="shared",
            offer_duties=["delete", "attribute"],
        )
    )
    found = fetched(client, dataset)
    require_complete(found)
    assert found["usageInfo"]["@type"] == "Offer"
    assert found["usageInfo"]["permission"][0]["action"] == "use"
    assert found["conditionsOfAccess"] == "Open to everybody."
    assert found["license"] == LICENCE_TEXTS[dataset.licence]

    loaded = mlcroissant.Dataset(jsonld=found, mapping=kept(found, tmp_path, files()))

    assert loaded.metadata.issues.errors == set()
    assert loaded.metadata.issues.warnings == set()
    assert rows(loaded, "rows-data%2Ftest.jsonl") == [
        {"prompt": "Hoi", "completion": "balie", "n": 1, "tags": ["a", "b"]},
        {"prompt": "Au", "completion": "arts", "n": 2, "tags": ["c"]},
    ]
    table = rows(loaded, "rows-data%2Ftrain.csv")
    assert [(row["id"], row["tekst"], row["deel"], row["ja"]) for row in table] == [
        (1, "hallo", 0.5, True),
        (2, "dag, hoor", 1.5, False),
    ]
    assert [row["x"] for row in rows(loaded, "rows-valid.parquet")] == [1, 2, 3]
    assert {row["name"] for row in rows(loaded, "splits")} == {"train", "test", "validation"}


def test_a_file_that_was_changed_is_not_loaded(client, tmp_path):
    dataset = opened(in_the_catalogue(files={"a.csv": b"a,b\n1,2\n"}))
    found = fetched(client, dataset)
    changed = kept(found, tmp_path, {"a.csv": b"a,b\n1,3\n"})

    loaded = mlcroissant.Dataset(jsonld=found, mapping=changed)

    with pytest.raises(Exception, match="Download"):
        rows(loaded, "rows-a.csv")


def test_the_least_that_may_be_found_is_valid_without_files(client):
    dataset = in_the_catalogue(files={"geheim.csv": b"a,b\n1,2\n"})
    found = fetched(client, dataset)

    require_complete(found)
    assert "distribution" not in found
    assert "recordSet" not in found
    assert "geheim" not in json.dumps(found)
    assert mlcroissant.Dataset(jsonld=found).metadata.issues.errors == set()


def test_an_empty_record_of_ones_own_is_complete_too(browser):
    dataset = made(description="")

    require_complete(fetched(browser(dataset.created_by), dataset))


def test_many_files_are_told_as_sets_and_load_from_a_folder(client, tmp_path):
    many = {f"train/{number:03d}.jsonl": JSONL for number in range(120)}
    many |= {f"pictures/{number}.png": b"x%d" % number for number in range(5)}
    dataset = opened(in_the_catalogue(files=many))
    found = fetched(client, dataset)
    require_complete(found)
    assert {each["includes"] for each in found["distribution"]} == {
        "train/*.jsonl",
        "pictures/*.png",
    }
    for path, content in many.items():
        (tmp_path / path).parent.mkdir(exist_ok=True)
        (tmp_path / path).write_bytes(content)
    (tmp_path / "croissant.json").write_text(json.dumps(found))

    loaded = mlcroissant.Dataset(jsonld=tmp_path / "croissant.json")

    assert loaded.metadata.issues.errors == set()
    assert len(rows(loaded, "rows-train%2F%2A.jsonl")) == 240


def test_names_that_look_like_addresses_stay_names(client, tmp_path):
    strange = {'http:__x?a=b#c&d "e" [f].csv': b"a b,http://x,%41\n1,2,3\n"}
    dataset = opened(in_the_catalogue(files=strange))
    found = fetched(client, dataset)
    address = found["distribution"][0]["contentUrl"]
    assert address.endswith("/http%3A__x%3Fa%3Db%23c%26d%20%22e%22%20%5Bf%5D.csv")

    mapping = {found["distribution"][0]["@id"]: tmp_path / "a.csv"}
    (tmp_path / "a.csv").write_bytes(next(iter(strange.values())))
    loaded = mlcroissant.Dataset(jsonld=found, mapping=mapping)

    row = next(iter(loaded.records(found["recordSet"][0]["@id"])))
    assert sorted(row.values()) == [1, 2, 3]


def test_who_may_not_read_learns_no_columns(browser):
    dataset = in_the_catalogue(files={"a.csv": b"geheime_kolom,b\n1,2\n"})

    assert "geheime_kolom" not in json.dumps(fetched(browser(a_person()), dataset))
    assert "geheime_kolom" in json.dumps(fetched(browser(dataset.created_by), dataset))


def test_it_is_told_on_the_page(client):
    dataset = in_the_catalogue()
    page = client.get(f"/catalogue/{dataset.code}/").text

    assert (
        '<link rel="describedby" type="application/ld+json" title="Croissant" '
        f'href="/catalogue/{dataset.code}.croissant.json">'
    ) in page


# --- columns ---------------------------------------------------------------------------------
def of(path, content):
    return [(one.name, one.kind) for one in columns.of(path, io.BytesIO(content))]


def test_kinds_are_read_from_the_first_rows():
    assert of("a.csv", CSV) == [
        ("id", "Integer"),
        ("tekst", "Text"),
        ("deel", "Float"),
        ("ja", "Boolean"),
        ("dag", "Date"),
    ]
    assert columns.of("a.jsonl", io.BytesIO(JSONL)) == [
        Column(name="prompt", kind="Text"),
        Column(name="completion", kind="Text"),
        Column(name="n", kind="Integer"),
        Column(name="tags", kind="Text", is_list=True),
    ]
    assert of("a.parquet", a_table()) == [("x", "Integer"), ("naam", "Text")]


@pytest.mark.parametrize(
    ("path", "content"),
    [
        ("a.csv", b""),
        ("a.csv", b"a;b\n1;2\n"),  # loaders would take it for one column
        ("a.csv", b"a,a\n1,2\n"),
        ("a.csv", b"a,\n1,2\n"),
        ("a.csv", b'a,b\n"never closed,2\n' + b"x" * 200),
        ("a.csv", b"\xff\xfe\x00a"),
        ("a.csv", b"a," * 3000),
        ("a.csv", b"x" * 2**18),
        ("a.jsonl", b"not json\n"),
        ("a.jsonl", b"[1, 2]\n"),
        ("a.jsonl", b"[" * 100_000),
        ("a.jsonl", b'{"a": {"b": 1}}\n'),
        ("a.jsonl", b'{"a": 1}\n{"a": "x"}\n'),
        ("a.parquet", b""),
        ("a.parquet", b"PAR1" * 4),
        ("a.parquet", b"PAR1" + b"\xff" * 40 + b"\xff\xff\xff\x7fPAR1"),
        ("a.parquet", a_table()[:-20] + a_table()[-8:]),
    ],
)
def test_what_is_broken_or_strange_has_no_columns(path, content):
    assert of(path, content) == []


def test_a_long_file_is_read_at_its_beginning_only():
    content = b"a,b\n" + b"1,2\n" * 100_000
    stream = io.BytesIO(content)

    assert [one.name for one in columns.of("a.csv", stream)] == ["a", "b"]
    assert stream.tell() == columns.READ_BYTES
    assert len(CSV) < columns.READ_BYTES


def test_splits_are_read_from_names():
    found = {
        path: croissant.split_of(path) for path in ("train.csv", "data/dev/1.csv", "atest.csv")
    }

    assert found == {"train.csv": "train", "data/dev/1.csv": "validation", "atest.csv": ""}
