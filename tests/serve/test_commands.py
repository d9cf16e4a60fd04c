"""Commands for who runs a factory: seed, doctor, appoint."""

import io
import shutil

import pytest
from django.core.management import CommandError, call_command
from django.db import OperationalError

from fabriek.access.models import Form, Mode
from fabriek.allocations.models import Funder, Share
from fabriek.cases.models import Sector
from fabriek.engines.base import EngineDown
from fabriek.kernel.models import Entry
from fabriek.people.models import Duty, Person
from fabriek.runs import engine
from fabriek.serve import doctor
from fabriek.serve.seed import seed_all
from tests.factories import a_person

pytestmark = pytest.mark.django_db


def counted():
    return [kind.objects.count() for kind in (Sector, Mode, Form, Share)]


def finding(name):
    return next(found for found in doctor.examine() if found.what == name)


# --- seed --------------------------------------------------------------------------------
def test_seeding_twice_doubles_nothing():
    seed_all()
    before = counted()

    call_command("seed")

    assert counted() == before
    assert all(before)


def test_a_mode_that_the_factory_closed_stays_closed():
    seed_all()
    Mode.objects.filter(code="playground").update(is_open=False)

    seed_all()

    assert not Mode.objects.get(code="playground").is_open


# --- doctor ------------------------------------------------------------------------------
def test_a_good_database_folder_and_engine_are_found_good():
    assert finding("Store").verdict == "good"
    assert finding("Run folders").verdict == "good"
    assert finding("Engine").verdict == "good"
    assert finding("Python").verdict == "good"


def test_a_store_that_cannot_be_made_is_lacking(settings, tmp_path):
    (tmp_path / "file").write_text("in the way")
    settings.STORE_HOME = tmp_path / "file" / "store"

    found = finding("Store")

    assert found.verdict == "lacking"
    assert str(settings.STORE_HOME) in found.mend


def test_a_full_disk_is_lacking(monkeypatch):
    monkeypatch.setattr(doctor, "ROOM_NEEDED_BYTES", 2**80)

    assert finding("Store").verdict == "lacking"


def test_an_engine_that_is_silent_is_lacking(monkeypatch):
    class Silent:
        def look(self, keys):
            raise EngineDown("nobody there")

    monkeypatch.setattr(engine, "engine", Silent)

    found = finding("Engine")

    assert (found.verdict, found.said) == ("lacking", "nobody there")


def test_a_database_that_is_away_is_lacking(monkeypatch):
    def away(connection):
        raise OperationalError("connection refused\nmore words")

    monkeypatch.setattr(doctor, "MigrationExecutor", away)

    found = finding("Database")

    assert (found.verdict, found.said) == ("lacking", "connection refused")


@pytest.mark.parametrize(
    ("url", "https", "verdict"),
    [
        ("http://localhost:8000", False, "good"),
        ("http://127.0.0.1:8000", False, "good"),
        ("https://fabriek.example", True, "good"),
        ("http://fabriek.example", False, "lacking"),
        ("http://localhost.evil.example", False, "lacking"),
    ],
)
def test_an_address_in_the_open_is_lacking(settings, url, https, verdict):
    settings.FACTORY_URL, settings.HTTPS = url, https

    assert finding("Address").verdict == verdict


def test_what_only_developers_need_is_never_lacking(monkeypatch):
    monkeypatch.setattr(shutil, "which", lambda program: None)

    verdicts = {found.what: found.verdict for found in doctor.examine()}

    assert verdicts["Message catalogues"] == "optional"
    assert verdicts["Browser tests"] == "optional"
    assert verdicts["Tests on PostgreSQL"] == "optional"


@pytest.mark.parametrize(("verdict", "code"), [("good", 0), ("optional", 0), ("lacking", 1)])
def test_the_doctor_s_end_tells_whether_something_is_lacking(
    monkeypatch, capsys, verdict, code
):
    found = doctor.Finding(what="Room", verdict=verdict, said="here", mend="Do [this].")
    monkeypatch.setattr(doctor, "LOOKS", [lambda: [found]])

    with pytest.raises(SystemExit) as end:
        call_command("doctor")

    said = capsys.readouterr().out
    assert end.value.code == code
    assert said.startswith(verdict if verdict != "optional" else "absent")
    assert ("Do [this]." in said) == (verdict != "good")


# --- appoint -----------------------------------------------------------------------------
def appoint(*words):
    out = io.StringIO()
    call_command("appoint", *words, stdout=out)
    return out.getvalue()


def test_somebody_with_an_account_is_appointed_once():
    person = a_person(email="marit@example.org", name="Marit")

    said = [appoint("Marit@example.org", "staff") for _ in range(2)]

    assert said == [f"{person}: staff\n"] * 2
    assert Person.objects.get(pk=person.pk).is_factory_staff
    assert [entry.verb for entry in Entry.objects.all()] == ["people.appoint"]


def test_a_funder_is_appointed_for_a_funder_and_can_move():
    seed_all()
    a_person(email="hilde@example.org")

    appoint("hilde@example.org", "funder", "--funder", "state")
    appoint("hilde@example.org", "funder", "--funder", "eurohpc")

    assert Duty.objects.get().funder_code == "eurohpc"


@pytest.mark.parametrize("words", [["funder"], ["staff", "--funder", "state"]])
def test_a_funder_code_belongs_to_funders_only(words):
    seed_all()
    a_person(email="hilde@example.org")

    with pytest.raises(CommandError, match="A funder needs the code"):
        appoint("hilde@example.org", *words)

    assert not Duty.objects.exists()


def test_a_funder_that_is_not_there_is_refused_and_the_codes_are_told():
    seed_all()
    a_person(email="hilde@example.org")
    codes = ", ".join(sorted(Funder.objects.values_list("code", flat=True)))

    with pytest.raises(CommandError) as refused:
        appoint("hilde@example.org", "funder", "--funder", "NOPE")

    assert str(refused.value) == f"There is no funder “NOPE”. Choose one of: {codes}."
    assert not Duty.objects.exists()


def test_without_any_funder_the_way_to_make_them_is_told():
    a_person(email="hilde@example.org")

    with pytest.raises(CommandError, match="python -m fabriek seed"):
        appoint("hilde@example.org", "funder", "--funder", "state")

    assert not Duty.objects.exists()


def test_who_has_no_account_cannot_be_appointed():
    with pytest.raises(CommandError, match="has no account yet"):
        appoint("nobody@example.org", "staff")


def test_a_duty_is_taken_away_and_nothing_happens_twice():
    person = a_person(email="marit@example.org", duty="staff")

    said = [appoint("marit@example.org", "staff", "--dismiss") for _ in range(2)]

    assert said == [f"{person}: -\n"] * 2
    assert [entry.verb for entry in Entry.objects.all()] == ["people.dismiss"]
