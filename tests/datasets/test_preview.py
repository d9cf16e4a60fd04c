import io
from hashlib import sha256

import pytest

from fabriek.datasets import actions as datasets
from fabriek.datasets import preview
from fabriek.store import actions as store
from fabriek.store.models import Blob
from tests.datasets.conftest import push
from tests.store.test_scrub import spoil

pytestmark = pytest.mark.django_db


def shown(dataset, name, content):
    push(dataset, {name: content})
    saved = dataset.repository.revisions.first()
    return preview.of(saved.files.select_related("blob").get(path=name))


def test_objects_become_a_table(dataset):
    rows = b'{"prompt": "a", "completion": "b"}\n{"prompt": "c", "completion": "d", "n": 1}\n'

    found = shown(dataset, "rows.jsonl", rows)

    assert found.columns == ["prompt", "completion", "n"]
    assert found.rows == [["a", "b", ""], ["c", "d", "1"]]


def test_only_five_rows_are_shown(dataset):
    assert shown(dataset, "a.txt", b"x\n\n" * 9).rows == [["x"]] * 5
    assert len(shown(dataset, "b.csv", b"kop\n" + b"1\n" * 9).rows) == 5


def test_commas_and_tabs_part_columns_too(dataset):
    assert shown(dataset, "a.csv", b'a,b\n"1,5",2').rows == [["1,5", "2"]]
    assert shown(dataset, "b.csv", b"\xef\xbb\xbfa\tb\n1\t2").columns == ["a", "b"]


def test_bytes_that_are_no_text_are_shown_as_such(dataset):
    assert shown(dataset, "a.txt", b"\x81\x8d!").rows == [["\ufffd\ufffd!"]]


def test_what_excel_wrote_is_read_as_it_wrote_it(dataset):
    assert shown(dataset, "a.csv", b"kop\ncaf\xe9").rows == [["café"]]
    assert shown(dataset, "b.csv", "kop\ncafé".encode("utf-16")).rows == [["café"]]
    assert shown(dataset, "d.csv", b"sep=;\nkop;x,y,z\n1;2").columns == ["kop", "x,y,z"]
    assert shown(dataset, "e.csv", b'"sep=;"\nkop;x\n1;2').columns == ["kop", "x"]
    assert shown(dataset, "c.txt", b"one\n" + "é".encode() * 2**15).rows == [["one"]]


def test_one_endless_line_is_cut(dataset):
    (row,) = shown(dataset, "a.txt", b"x" * 200_000).rows

    assert row == ["x" * 199 + "…"]


def test_a_torn_last_line_is_left_out(dataset):
    assert shown(dataset, "a.txt", b"one\n" + b"x" * 200_000).rows == [["one"]]


def test_an_object_with_nested_values_and_a_wide_table_fit(dataset):
    wide = b"{" + b",".join(b'"k%d": [1, {"a": "\xc3\xa9"}]' % n for n in range(20))

    found = shown(dataset, "a.jsonl", wide + b', "text": "x"}\n')
    assert found.more == 21 - len(found.columns)

    assert len(found.columns) == 8
    assert found.rows[0][0] == '[1, {"a": "é"}]'


def test_damaged_files_take_no_page_away(browser, dataset, lead):
    """There the same files are sent again, which mends them."""
    files = {"rows.csv": b"a,b\n1,2\n", "README.md": b"# About\nThis says where it is from.\n"}
    entries = (store.Entry(path, len(text), io.BytesIO(text)) for path, text in files.items())
    store.store_many(dataset.repository, entries, by=lead)
    named = {path: sha256(text).hexdigest() for path, text in files.items()}
    datasets.commit(dataset, named, message="", by=lead)
    for blob in Blob.objects.all():
        spoil(blob)

    page = browser(lead).get(dataset.get_absolute_url())
    told = browser(lead).get(f"/catalogue/{dataset.code}.croissant.json")

    assert (page.status_code, told.status_code) == (200, 200)
    assert "rows.csv: The bytes of this file are damaged here" in page.text
    assert len(told.json()["distribution"]) == 2
