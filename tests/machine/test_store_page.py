"""The page and the API of the store: how far the reading is, and what must be mended."""

from datetime import timedelta

import pytest
from django.utils import timezone

from fabriek.store import scrub
from fabriek.store.models import Blob, Damage, Round
from tests.factories import a_case, a_partner, a_person, a_repository, an_assessor, staff
from tests.store.test_actions import push

pytestmark = pytest.mark.django_db


def damaged(count, *, mended=False):
    case = a_case()
    for number in range(count):
        repository = a_repository(case=case, code=f"D26-000{number}-{Damage.objects.count()}")
        push(repository, {"secret-name.csv": f"{number} {mended}".encode()})
    for blob in Blob.objects.filter(damages=None):
        Damage.objects.create(
            blob=blob,
            sha256=blob.sha256,
            size_bytes=blob.size_bytes,
            what="changed",
            place="single",
            repaired_at=timezone.now() if mended else None,
            how="sent" if mended else "",
        )


def text_of(browser, person):
    answer = browser(person).get("/machine/store/")
    assert answer.status_code == 200
    return answer.content.decode()


def test_a_store_that_was_never_read_says_so(browser):
    text = text_of(browser, staff())

    assert "Nothing is known to be damaged. The first full round is not done yet." in text
    assert "<table" not in text


def test_a_round_that_is_done_says_that_all_is_whole(browser):
    push(a_repository(), {"a": b"1"})
    scrub.begin()
    scrub.Reader(is_stopped=lambda: False).read()

    text = text_of(browser, staff())

    assert "All files were read again and are whole." in text
    assert "The last round is done" in text
    assert 'value="100"' in text


def test_progress_of_a_round_is_shown(browser):
    push(a_repository(), {"a": b"1" * 75, "b": b"2" * 25})
    Round.objects.create(claimed_until=timezone.now() + timedelta(minutes=1))
    Blob.objects.filter(size_bytes=75).update(verified_at=timezone.now())

    text = text_of(browser, staff())

    assert "This round, being read at this moment" in text
    assert 'value="75"' in text


def test_damage_is_told_by_code_and_never_by_the_name_of_a_file(browser):
    damaged(2)
    damaged(1, mended=True)

    text = text_of(browser, staff())

    assert "2 files are damaged and are not given to anybody." in text
    assert "D26-0000-0" in text
    assert "the same file was sent again" in text
    assert "secret-name" not in text


def test_only_staff_see_it(browser, program):
    partner = a_person()
    a_partner(a_case(), lead=partner)
    for person in (partner, an_assessor()):
        assert browser(person).get("/machine/store/").status_code == 403
        assert program(person).get("/api/store/scrub").status_code == 403

    assert "/machine/store/" in browser(staff()).get("/machine/").content.decode()
    assert "/machine/store/" not in browser(partner).get("/machine/").content.decode()


def test_the_api_tells_the_same(program):
    damaged(1)

    told = program(staff()).get("/api/store/scrub").json()

    assert told["says"] == "1 file is damaged and is not given to anybody."
    assert (told["damaged_count"], told["files"], told["percent"]) == (1, 1, 0)
    (line,) = told["damaged"]
    assert (line["what"], line["place"], line["size_bytes"]) == ("changed", "single", 7)
    assert line["hits"] == [
        {"code": "D26-0000-0", "kind": "dataset", "revisions": 1, "newest": 1}
    ]
    assert told["mended"] == []


@pytest.mark.parametrize("count", [1, 3])
def test_the_page_costs_the_same_whatever_is_damaged(browser, count, django_assert_num_queries):
    damaged(count)
    damaged(count, mended=True)
    scrub.begin()
    signed_in = browser(staff())
    signed_in.get("/machine/store/")

    with django_assert_num_queries(11):
        signed_in.get("/machine/store/")
