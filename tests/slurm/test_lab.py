"""Labs on a real Slurm: reached through Slurm itself, kept apart by the accounts of cases."""

import pytest

from fabriek_recipes.lab.place import place_of
from tests.engines import strangers
from tests.engines.cluster import CONF, mended, part, refuse_without_cluster, said
from tests.engines.waiting import eventually
from tests.lab.people import Somebody, furnished
from tests.server import Running

pytestmark = [pytest.mark.slurm, pytest.mark.slow]
TRIES = """
from pathlib import Path
for path in {paths}:
    try:
        print(len(list(Path(path).iterdir())))
    except OSError as error:
        print(type(error).__name__)
"""


@pytest.fixture(scope="module")
def home():
    refuse_without_cluster()
    with strangers.open_place() as place:
        yield place


@pytest.fixture(scope="module")
def told(home):
    return {}


@pytest.fixture(scope="module")
def factory(home, told):
    prefix = strangers.new_prefix()
    settings = {
        "FABRIEK_ENGINE": "slurm",
        "FABRIEK_SLURM_CONF": str(CONF),
        "FABRIEK_SLURM_PARTITION": "gpu",
        "FABRIEK_SLURM_DEVICE": "cpu",
        "FABRIEK_UNIX_ACCOUNTS": "1",
        "FABRIEK_UNIX_PREFIX": prefix,
    }
    with Running(home, **settings) as factory:
        told |= furnished(factory)
        yield factory
    for party in told.values():
        strangers.remove(f"{prefix}{party['case'].lower()}")


@pytest.fixture(scope="module")
def ada(factory, told):
    with Somebody(factory.url, told["ours"]) as ada:
        yield ada


@pytest.fixture(scope="module")
def ben(factory, told):
    with Somebody(factory.url, told["theirs"]) as ben:
        yield ben


@pytest.fixture(scope="module")
def lab(ada, told):
    code = ada.begins(inputs={"dataset": told["ours"]["data"]})
    yield code
    ada.api("POST", f"runs/{code}/cancel")
    ada.ended(code)


def steps_of(number):
    rows = said("sacct", "-nP", "-j", number, "--format=JobID,JobName").split()
    return [row for row in rows if row.startswith(f"{number}.") and ".batch" not in row]


def number_of(key):
    return said("squeue", "--noheader", "--format=%i", f"--name={key}").strip()


@pytest.fixture(scope="module")
def key(lab, home):
    """Give the key of the first lab, before there is a second."""
    [folder] = [one for one in (home / "runs").iterdir() if one.name.startswith("fabriek-")]
    return folder.name


def test_all_of_a_page_and_its_notebooks_go_through_one_step_of_the_job(ada, lab, key):
    inside = ada.enters(lab)

    page = inside.get("/lab")
    printed = inside.computes("print(1 + 1, open('inputs/dataset/text.txt').read().strip())")
    again = inside.computes("print(2 + 2)")

    assert page.status_code == 200
    assert (printed, again) == ("2 zeven GPU's\n", "4\n")
    assert len(steps_of(number_of(key))) == 1


def test_a_lab_runs_as_the_account_of_its_case(ada, lab, told):
    who = ada.enters(lab).computes(
        "import getpass, pwd, os; print(pwd.getpwuid(os.getuid())[0])"
    )

    assert who.strip().endswith(told["ours"]["case"].lower())


def test_the_lab_of_another_case_reaches_neither_its_socket_nor_its_files(
    ada, ben, lab, key, home
):
    paths = [str(place_of(key)), str(home / "runs" / key), str(home / "runs" / key / "work")]
    theirs = ben.begins()

    printed = ben.enters(theirs).computes(TRIES.format(paths=paths))

    assert printed.split() == ["PermissionError"] * 3
    ben.api("POST", f"runs/{theirs}/cancel")
    ben.ended(theirs)


def test_a_line_that_broke_is_made_again(ada, lab, key):
    inside = ada.enters(lab)
    inside.get("/api/status")
    number = number_of(key)
    step = eventually(lambda: _running_step(number), within_s=20)

    said("scancel", step)

    eventually(lambda: inside.get("/api/status").status_code == 200, within_s=30)
    assert eventually(lambda: _running_step(number), within_s=20) != step


def test_work_goes_on_while_the_controller_is_away(ada, lab):
    inside = ada.enters(lab)
    inside.get("/api/status")
    part("stop", "slurmctld")
    try:
        printed = inside.computes("print(3 + 3)")
    finally:
        mended()

    assert printed == "6\n"


def test_the_hours_that_were_not_used_come_back(ada):
    code = ada.begins(hours=3)
    ada.api("POST", f"runs/{code}/cancel")

    run = ada.ended(code)

    assert run["state"] == "cancelled"
    assert run["gpu_seconds_held"] == 3 * 3600
    assert 0 < run["gpu_seconds_used"] < 3600


def _running_step(number):
    steps = said("squeue", "--steps", "--noheader", "--format=%i", f"--jobs={number}").split()
    return next((step for step in steps if step.partition(".")[2].isdigit()), "")
