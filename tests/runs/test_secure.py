"""Runs on the secure part of the machine: sent there when the data asks it, and shut there."""

import re
import stat

import pytest
from django.test import Client

from fabriek.agreements.models import Decided, Statement
from fabriek.engines.base import Phase, Sighting
from fabriek.engines.fake import Fake
from fabriek.kernel.errors import NotAllowed
from fabriek.runs import actions, folders, hub_keys, jobs, made, use
from fabriek.runs.models import Run
from fabriek.runs.states import RunState
from tests.agreements.policy_world import an_agreement
from tests.factories import a_case, a_person
from tests.runs.test_api import sent, wanted
from tests.runs.test_ended_agreements import a_lab, a_lent_world, loop, running
from tests.runs.test_pages import FORM, text_of
from tests.runs.world import a_text, passes, seen_again

SAID = "This runs on the secure part of the machine"


@pytest.fixture(autouse=True)
def part(settings):
    settings.ENGINE = "slurm"
    settings.SLURM_SECURE_PARTITION = "safe"


@pytest.fixture
def engine():
    engine = Fake()
    engine.has_secure_part = True
    return engine


@pytest.fixture
def lent(db):
    return a_lent_world(place="secure")


def no_part(settings):
    settings.SLURM_SECURE_PARTITION = ""


# --- where it goes --------------------------------------------------------------------------
def test_a_run_on_such_data_is_sent_to_the_secure_part(lent, engine):
    run = lent.ask()
    passes(engine)

    assert run.is_secure
    assert engine.jobs[run.key].is_secure
    assert seen_again(run).state == RunState.QUEUED
    assert (run.folder / "inputs/dataset/text.txt").exists()
    assert {row.code for row in Decided.objects.filter(run=run.code)} == {"agreed_secure"}


def test_several_nodes_go_there_too(lent, engine):
    run = lent.ask(gpus=4, nodes=2)
    passes(engine)

    job = engine.jobs[run.key]
    assert (job.is_secure, job.gpus, job.nodes) == (True, 4, 2)


def test_other_runs_are_not_sent_there(world, engine):
    run = world.ask()
    passes(engine)

    assert (run.is_secure, engine.jobs[run.key].is_secure) == (False, False)


@pytest.mark.parametrize("place", ["open", "shared"])
def test_data_for_the_whole_machine_does_not_go_there(db, engine, place):
    run = a_lent_world(place=place).ask()
    passes(engine)

    assert not engine.jobs[run.key].is_secure


def test_one_input_that_asks_for_it_takes_the_others_along(lent, engine):
    """Own data, and data for the whole machine, may lie beside it there."""
    owner = a_person()
    other = a_text(a_case(lead=owner), owner)
    an_agreement(other.repository, lent.world.case, place="shared")
    both = {"dataset": lent.world.revision, "validation": other}
    purpose = use.Use(recipe="pretrain_lm", case=lent.world.case, by=lent.world.person)

    placed = use.placed(purpose, both)

    assert placed.is_secure
    assert use.check(placed, both) == both


def test_a_dry_run_goes_there_too(lent, engine):
    run = lent.ask(is_dry=True)
    passes(engine)

    assert engine.jobs[run.key].is_secure


# --- without a secure part ------------------------------------------------------------------
def test_without_a_secure_part_it_is_refused_and_nothing_is_held(lent, settings):
    no_part(settings)

    with pytest.raises(NotAllowed) as refused:
        lent.ask()

    assert refused.value.code == "no_secure_place"
    assert (Run.objects.count(), lent.world.held()) == (0, 0)


def test_one_machine_alone_has_no_secure_part(lent, settings):
    settings.ENGINE = "local"

    with pytest.raises(NotAllowed) as refused:
        lent.ask()

    assert refused.value.code == "no_secure_place"


def test_a_part_that_is_taken_away_while_a_run_waits_ends_it(lent, engine, settings):
    run = lent.ask()
    no_part(settings)
    passes(engine)

    ended = seen_again(run)
    assert (ended.state, ended.reason) == (RunState.FAILED, "data_no_secure_place")
    assert (engine.jobs, lent.world.held(), lent.world.bill(run)) == ({}, 0, 0)


def test_an_engine_without_one_refuses_and_the_page_says_why(lent, engine, browser):
    engine.has_secure_part = False
    run = lent.ask()
    passes(engine)

    ended = seen_again(run)
    assert (ended.state, ended.reason) == (RunState.FAILED, "no_secure_part")
    page = text_of(browser(lent.world.person).get(f"/runs/{run.code}/"))
    assert "the secure part of the machine only, and there is none now" in page


def test_a_run_that_was_sent_elsewhere_does_not_start_under_a_stricter_text(db, engine):
    lent = a_lent_world(place="shared")
    run = lent.ask()
    lent.revoke()
    an_agreement(lent.agreement.repository, lent.world.case, place="secure")
    passes(engine)

    ended = seen_again(run)
    assert (run.is_secure, ended.reason) == (False, "data_stays_secure")
    assert engine.jobs == {}


# --- shut there -----------------------------------------------------------------------------
def test_it_has_no_key_and_no_address_of_the_facility(lent, engine):
    run = lent.ask()
    passes(engine)

    environment = dict(jobs.job_of(seen_again(run)).environment)
    assert not (run.folder / "hub-key").exists()
    assert not {"HF_ENDPOINT", "HF_TOKEN_PATH", "HF_TOKEN"} & environment.keys()
    assert environment["HF_HUB_OFFLINE"] == "1"


def test_no_key_opens_anything_for_it(lent, engine):
    """Not even one that somebody made who has the secret of the factory."""
    run = running(engine, lent.ask())
    other = running(engine, lent.world.ask(inputs={"dataset": own_text(lent)}))

    assert hub_keys.find(hub_keys.key_of(other)) == other
    assert hub_keys.find(hub_keys.key_of(run)) is None
    client = Client(HTTP_AUTHORIZATION=f"Bearer {hub_keys.key_of(run)}")
    assert client.get(f"/api/datasets/{lent.world.case.code}/texts").status_code == 401
    assert client.post("/api/repos/create", {}, "application/json").status_code == 401


def own_text(lent):
    return a_text(lent.world.case, lent.world.person)


def test_its_folder_is_shut_as_that_of_any_run(lent, engine):
    secure, other = lent.ask(), lent.world.ask(inputs={"dataset": own_text(lent)})
    passes(engine)

    def modes(run):
        found = {path.relative_to(run.folder): path for path in run.folder.rglob("*")}
        return {name: stat.S_IMODE(path.stat().st_mode) for name, path in found.items()}

    ours, theirs = modes(secure), modes(other)
    assert {name: ours[name] for name in ours} == {name: theirs[name] for name in ours}
    assert {str(name) for name in theirs.keys() - ours.keys()} == {"hub-key"}
    assert stat.S_IMODE(secure.folder.stat().st_mode) == 0o700


def test_no_session_begins_on_such_data(db):
    lent = a_lent_world(place="secure", product="model_weights")

    with pytest.raises(NotAllowed) as refused:
        a_lab(lent)

    assert refused.value.code == "stays_secure"
    assert "open them in a session" in str(refused.value)
    assert Run.objects.count() == 0


def test_its_log_is_shown_to_nobody(lent, engine, browser, program):
    run = running(engine, lent.ask())
    (run.folder / "log").write_text("ValueError: Jansen, hoofdpijn\n")
    client = program(lent.world.person)

    answer = client.get(f"/api/runs/{run.code}/log")
    page = browser(lent.world.person).get(f"/runs/{run.code}/")

    assert (answer.status_code, answer.json()["code"]) == (403, "log_stays_secure")
    assert "Jansen" not in page.text
    assert "The last lines of the log" not in page.text


def test_what_it_wrote_about_rows_is_not_read(lent, engine):
    run = running(engine, lent.ask())

    assert not made.may_read_rows(run, lent.world.person)
    with pytest.raises(NotAllowed) as refused:
        made.require_read(run, lent.world.person)
    assert refused.value.code == "stays_secure"


def test_to_look_at_rows_beforehand_is_refused(lent, program):
    given = wanted(lent.world)

    answer = sent(program(lent.world.person), "/api/runs/rows", given)

    assert (answer.status_code, answer.json()["code"]) == (403, "stays_secure")


# --- goes on, and ends ----------------------------------------------------------------------
def test_what_goes_on_from_it_stays_there(lent, engine):
    """Also under a text that asks for less: its checkpoints were made in there."""
    run = running(engine, lent.ask())
    (run.folder / "checkpoints/step-1").mkdir(parents=True)
    (run.folder / "checkpoints/step-1/state.json").write_text("{}")
    engine.move(run.key, Sighting(Phase.FAILED, 5, exit_code=1))
    passes(engine)
    same = actions.go_on(seen_again(run), by=lent.world.person)
    actions.cancel(same, by=lent.world.person)
    passes(engine)
    an_agreement(lent.agreement.repository, lent.world.case, place="open")

    later = actions.go_on(seen_again(run), by=lent.world.person)

    assert (same.is_secure, later.is_secure) == (True, True)
    assert later != same


def test_it_runs_on_while_the_agreement_holds_and_stops_when_it_is_revoked(lent, engine):
    run = running(engine, lent.ask())
    loop(engine)
    before = seen_again(run).cancel_asked_at

    lent.revoke()
    for _ in range(3):
        loop(engine)

    assert before is None
    assert seen_again(run).stop_reason == "data_revoked"
    assert not (run.folder / "inputs/dataset/text.txt").exists()


def test_another_agreement_for_the_secure_part_lets_its_copies_stay(lent, engine):
    run = running(engine, lent.ask())
    later = an_agreement(lent.agreement.repository, lent.world.case, place="secure")
    lent.revoke()

    for _ in range(3):
        loop(engine)

    assert seen_again(run).state == RunState.RUNNING
    assert (run.folder / "inputs/dataset/text.txt").exists()
    assert Statement.objects.get().facts["covered_by"] == later.code


def test_such_an_agreement_covers_no_run_outside_of_it(db, engine):
    lent = a_lent_world(place="shared")
    run = running(engine, lent.ask())
    an_agreement(lent.agreement.repository, lent.world.case, place="secure")
    lent.revoke()

    for _ in range(3):
        loop(engine)

    assert seen_again(run).stop_reason == "data_revoked"
    assert not (run.folder / "inputs/dataset/text.txt").exists()
    assert Statement.objects.get().facts["covered_by"] == ""


# --- pages and API --------------------------------------------------------------------------
def test_the_form_offers_the_data_and_says_where_it_will_run(lent, browser):
    code = lent.world.revision.repository.code
    address = f"{FORM.format(lent.world.case.code)}&dataset={code}"

    english = text_of(browser(lent.world.person).get(address))
    dutch = text_of(browser(lent.world.person, "nl").get(address))

    assert SAID in english
    assert "This run will use about" in english
    assert "Dit draait in het beveiligde deel van de machine" in dutch


def test_the_form_says_nothing_of_it_for_other_data_nor_without_a_part(
    lent, browser, settings, world
):
    assert SAID not in text_of(browser(world.person).get(FORM.format(world.case.code)))

    no_part(settings)
    page = text_of(browser(lent.world.person).get(FORM.format(lent.world.case.code)))

    assert SAID not in page
    assert lent.world.revision.repository.code not in page


def test_the_page_of_a_run_says_it(lent, engine, browser, world):
    run, other = lent.ask(), world.ask()

    assert SAID in text_of(browser(lent.world.person).get(f"/runs/{run.code}/"))
    assert SAID not in text_of(browser(world.person).get(f"/runs/{other.code}/"))


def test_programs_are_told(lent, program):
    client = program(lent.world.person)
    given = wanted(lent.world)
    price = sent(client, "/api/runs/price", given).json()
    asked = sent(client, "/api/runs/", given).json()
    own = {"inputs": {"dataset": own_text(lent).repository.code}}
    elsewhere = sent(client, "/api/runs/price", wanted(lent.world, **own)).json()

    detail = client.get(f"/api/runs/{asked['code']}").json()
    (row,) = client.get("/api/runs/").json()["items"]

    told = [one["is_secure"] for one in (price, asked, detail, row)]
    assert (told, elsewhere["is_secure"]) == ([True] * 4, False)


def test_the_words_say_it_in_dutch(lent, browser):
    run = lent.ask()

    page = text_of(browser(lent.world.person, "nl").get(f"/runs/{run.code}/"))

    assert re.search(r"Waar\s+Beveiligd deel", page)


# --- as whom --------------------------------------------------------------------------------
@pytest.fixture
def named(settings, monkeypatch):
    """Let each case have accounts of its own; gives those that were made."""
    settings.UNIX_ACCOUNTS = True
    settings.UNIX_PREFIX = "fab-"
    made_accounts = []
    monkeypatch.setattr("fabriek.runs.accounts.ensure", made_accounts.append)
    return made_accounts


def test_it_runs_as_another_account_than_the_sessions_of_its_case(lent, named):
    """Else who is in a session could read its folder, and be let in to its job by Slurm."""
    secure, other = lent.ask(), lent.world.ask(inputs={"dataset": own_text(lent)})
    plain = f"fab-{lent.world.case.code}".lower()

    users = [jobs.job_of(run).user for run in (secure, other)]
    assert users == [f"{plain}-s", plain]
    assert [folders.place(run).account for run in (secure, other)] == users


def test_both_accounts_may_use_the_budget_and_are_there_before_it_is_told(lent, engine, named):
    passes(engine)

    plain = f"fab-{lent.world.case.code}".lower()
    assert engine.budgets[lent.world.allocation.account].users == (plain, f"{plain}-s")
    assert named == [plain, f"{plain}-s"]


def test_without_a_secure_part_no_second_account_is_made(lent, engine, named, settings):
    no_part(settings)
    passes(engine)

    assert named == [f"fab-{lent.world.case.code}".lower()]
