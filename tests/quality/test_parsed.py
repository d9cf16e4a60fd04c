"""First rows that a worker reads for a page: Parquet, JSON, and what is packed."""

import gzip
import json
from io import BytesIO

import pyarrow as pa
import pytest
from pyarrow import parquet

from fabriek.quality import folders, parsed, previewed
from tests.quality.conftest import looked_at, push

pytestmark = pytest.mark.django_db(transaction=True)

BSN = "111222333"
ROWS = [
    {
        "burgerservicenummer": BSN,
        "text": f"mail jan{at}@voorbeeld.nl" if at == 3 else f"vraag {at}",
        "said": [{"role": "user", "content": f"hallo {at}"}],
        "picture": b"\0" * 12,
        "n": at if at else None,
    }
    for at in range(9)
]


@pytest.fixture(autouse=True)
def patient(monkeypatch):
    """Wait as long as it takes: a busy machine is slow, not wrong."""
    monkeypatch.setattr(parsed, "WAIT_S", 240)


def as_parquet(rows):
    made = BytesIO()
    parquet.write_table(pa.Table.from_pylist(rows), made)
    return made.getvalue()


def page(browser, person, dataset):
    return browser(person).get(f"/data/{dataset.code}/look/").content.decode()


def test_rows_of_parquet_are_shown_before_a_note_what_is_personal_hidden(
    browser, lead, dataset, settings
):
    looked_at(dataset, {"README.md": b"# a note", "data/a.parquet": as_parquet(ROWS)})

    shown = page(browser, lead, dataset)

    assert "<caption>data/a.parquet</caption>" in shown
    assert "a note" not in shown
    assert '<th scope="col">burgerservicenummer</th>' in shown
    assert shown.count("<td>•••</td>") == 10  # two columns with something personal, five rows
    assert BSN not in shown
    assert "voorbeeld.nl" not in shown
    assert "hallo 4" in shown
    assert "hallo 5" not in shown
    assert (
        "[{&quot;role&quot;:&quot;user&quot;,&quot;content&quot;:&quot;hallo 0&quot;}]" in shown
    )
    assert shown.count("<td>12 bytes</td>") == 5
    assert not list(settings.LOOKS_HOME.glob(".seen-*"))


@pytest.mark.parametrize(
    ("path", "content"),
    [
        ("a.json", json.dumps([{"x": "een", "y": {"z": 1}}]).encode()),
        ("a.csv.gz", gzip.compress(b'x;y\neen;"{""z"":1}"\n')),
    ],
)
def test_a_list_in_json_and_what_is_packed_are_shown(browser, lead, dataset, path, content):
    looked_at(dataset, {path: content})

    shown = page(browser, lead, dataset)

    assert f"<caption>{path}</caption>" in shown
    assert "<tr><td>een</td><td>{&quot;z&quot;:1}</td></tr>" in shown


def test_what_is_personal_is_masked_before_a_cell_is_cut(dataset):
    said = "x" * 180 + " jan.jansen@voorbeeld.nl"

    shown = previewed.preview_of(push(dataset, {"a.txt": said.encode()}), [], [])

    assert shown.rows == [["x" * 180 + " [EMAIL]"]]


def answers(monkeypatch, told):
    monkeypatch.setattr(parsed, "_ends_in_time", lambda _folder: True)
    monkeypatch.setattr(folders, "told", lambda _folder, _name: told)


def test_where_columns_are_not_those_of_the_look_every_cell_is_hidden(
    browser, lead, dataset, monkeypatch
):
    looked_at(dataset, {"a.parquet": as_parquet([{"burgerservicenummer": BSN, "n": 1}] * 12)})
    answers(monkeypatch, {"columns": ["n", "burgerservicenummer"], "rows": [["secret", "x"]]})

    shown = page(browser, lead, dataset)

    assert "<tr><td>•••</td><td>•••</td></tr>" in shown
    assert "secret" not in shown


def test_a_page_that_gets_no_rows_says_so(browser, lead, dataset, monkeypatch):
    looked_at(dataset, {"a.parquet": as_parquet(ROWS)})
    monkeypatch.setattr(parsed, "WAIT_S", 0)

    assert "a.parquet: The first rows could not be read in time" in page(browser, lead, dataset)

    monkeypatch.setattr(parsed, "LINKED_BYTES", 10)
    monkeypatch.setattr(parsed, "COPIED_BYTES", 10)
    assert "a.parquet: The first rows could not be read in time" in page(browser, lead, dataset)

    monkeypatch.setattr(parsed, "LINKED_BYTES", 2**20)
    monkeypatch.setattr(parsed, "COPIED_BYTES", 2**20)
    for told in (
        None,
        {"trouble": "broken_file", "facts": {}, "held": {}},
        {"columns": ["n"], "rows": [["1"]] * 6},
        {"columns": ["n"], "rows": [["x" * 10_000]]},
        {"columns": ["n"], "rows": [], "script": "x"},
    ):
        answers(monkeypatch, told)
        shown = page(browser, lead, dataset)
        assert "a.parquet: The first rows could not be read for this page" in shown, told


def test_no_more_read_at_once_than_may_look(browser, lead, dataset, monkeypatch, settings):
    looked_at(dataset, {"a.parquet": as_parquet(ROWS)})
    monkeypatch.setattr(parsed, "PATIENCE_S", 0)
    settings.LOOK_WORKERS = 1

    with parsed.room():
        shown = page(browser, lead, dataset)

    assert "a.parquet: Rows of others are being read at this moment." in shown
