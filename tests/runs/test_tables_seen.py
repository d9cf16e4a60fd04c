"""Examples in a table of Excel or a list of JSON: looked at and priced before a run."""

import json

import pytest

from fabriek.quality.worker.job import Given, Job
from fabriek.runs.worker import reading
from tests.factories import a_person
from tests.runs import chats
from tests.runs.test_rows_seen import a_look, at, text_of, tokens_of  # noqa: F401

LEARNED = "seen__run--assistant seen__run--learned"


def table(count):
    lines = [f'{chats.ASKED} {n};"{chats.ANSWERED} {n};\né"\r\n' for n in range(count)]
    return "Vraag;Antwoord\r\n" + "".join(lines)


@pytest.mark.django_db
def test_a_table_of_excel_is_seen_and_priced_as_rows(at, program):  # noqa: F811
    at.push({"README.md": b"x", "vragen.csv": table(12).encode("cp1252")})
    asked = {"case": at.case.code, "recipe": "finetune_lm", "knobs": {}}
    asked["inputs"] = {"dataset": at.dataset.code, "model": at.model.code}

    page = at.page()
    price = program(at.person).post("/api/runs/price", asked, content_type="application/json")

    assert f"{chats.ASKED} 0" in tokens_of(page, "seen__run--user")
    assert any(one.startswith(f"{chats.ANSWERED} 0;") for one in tokens_of(page, LEARNED))
    assert "Line 2 of vragen.csv" in text_of(page)
    assert "All 12 rows have at most 512 tokens." in text_of(page)
    assert price.status_code == 200, price.content
    assert price.json()["why"][0].startswith("The tokens were counted")


@pytest.mark.django_db
def test_columns_that_are_not_understood_are_named_with_those_that_are_wanted(at):  # noqa: F811
    at.push({"vragen.csv": "klant;klacht\nA;B\n"})

    assert (
        "vragen.csv: The columns are: klant, klacht. Call the one with the question “prompt” "
        "or “vraag”"
    ) in at.text()


@pytest.mark.django_db
def test_once_data_are_looked_at_their_page_says_which_recipes_learn_from_them(at):  # noqa: F811
    at.push({"vragen.csv": "text,label\nhoi,a\nhallo,b\n"})
    client, address = at.browser(at.person), f"/runs/learning/{at.dataset.code}/1"

    before = client.get(at.dataset.get_absolute_url()).content.decode()
    a_look(at, files=[], findings=[])
    after = client.get(at.dataset.get_absolute_url()).content.decode()
    told = client.get(address, headers={"HX-Request": "true"})
    said = text_of(told)

    assert (f'hx-get="{address}"' in before, f'hx-get="{address}"' in after) == (False, True)
    assert "can learn from these data: Give texts a label ." in said
    assert "Name the column to predict. The table has: text, label." in said
    assert "The columns are: text, label. Call the one with the question" in said
    assert "<html" not in told.content.decode()
    assert "<html" in client.get(address).content.decode()  # without JavaScript
    assert at.browser(a_person()).get(address).status_code == 404


def test_of_a_large_table_or_list_every_so_many_rows_keep_their_numbers(tmp_path, monkeypatch):
    made = [{"vraag": f"a\n{n}", "antwoord": "b"} for n in range(100)]
    lines = [f'"a\n{n}";b\n' for n in range(100)]
    held = {"1": "vraag;antwoord\n" + "".join(lines), "2": json.dumps(made)}
    job = Job(folder=tmp_path, asked={}, files=[])
    job.temporary.mkdir(exist_ok=True)
    for (name, text), ending in zip(held.items(), ("csv", "json"), strict=True):
        (tmp_path / name).write_text(text)
        given = Given(path=f"data/{name}.{ending}", at=tmp_path / name, size_bytes=len(text))
        job.files.append(given)
    monkeypatch.setattr(reading, "BYTES_MAX", sum(map(len, held.values())) // 10 + 1)

    found = [
        (one.place.file, one.place.line, one.row.prompt)
        for one in reading.Reading.of(job).rows()
    ]

    of_table = [(0, 2 + 2 * n, f"a\n{n}") for n in range(0, 100, 10)]
    assert found == of_table + [(1, n + 1, f"a\n{n}") for n in range(0, 100, 10)]
