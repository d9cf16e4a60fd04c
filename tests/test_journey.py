"""The nine steps, through pages, API and command line, against a factory that really runs."""

import json
import os
import re
import time
from contextlib import ExitStack

import httpx
import pytest
from typer.testing import CliRunner

from fabriek.cli import http
from fabriek.cli.config import Account
from fabriek.cli.main import app
from tests.server import Running
from tests.visitor import Visitor

pytestmark = pytest.mark.slow

PASSWORD = "een-lang-wachtwoord-7"
ROWS = [
    {
        "prompt": f"Bericht {n}: {'brand' if n % 2 else 'vraag'}",
        "completion": "ja" if n % 2 else "nee",
    }
    for n in range(40)
]
PRETRAIN = ["--size", "tiny", "--vocabulary", "300", "--epochs", "1", "--context-tokens", "64"]


@pytest.fixture(scope="module")
def factory(tmp_path_factory):
    with Running(tmp_path_factory.mktemp("factory")) as factory:
        yield factory


@pytest.fixture
def kept_open():
    """Keep connections open until the end, and close them all then."""
    with ExitStack() as stack:
        yield stack.enter_context


def newcomer(factory, kept_open, email, name):
    visitor = Visitor(factory.url)
    kept_open(visitor.http)
    visitor.go("/accounts/signup/")
    visitor.send("signup", email=email, name=name, password1=PASSWORD)
    assert visitor.page.status_code == 200, visitor.text
    return visitor


def organisation(visitor, name, kvk_number, kind):
    visitor.go("/people/organisations/new").send(
        name=name,
        kvk_number=kvk_number,
        kind=kind,
        staff_count=12,
        turnover_eur=1_000_000,
        balance_eur=500_000,
    )
    assert name in visitor.text


def token_of(visitor):
    visitor.go("/people/tokens").send(name="test", days=30, scope="write")
    return re.search(r"fbk_[\w-]{20,}", visitor.text)[0]


def program(factory, token):
    return httpx.Client(
        base_url=f"{factory.url}/api/",
        headers={"Authorization": f"Bearer {token}", "Accept-Language": "en"},
        timeout=60,
    )


class Terminal:
    def __init__(self, factory, token, home):
        self.environment = {
            "FABRIEK_URL": factory.url,
            "FABRIEK_TOKEN": token,
            "XDG_CONFIG_HOME": str(home),
            "LANG": "en_GB.UTF-8",
            "COLUMNS": "200",
        }

    def __call__(self, *words, fails=False):
        done = CliRunner().invoke(app, list(words), env=os.environ | self.environment)
        assert (done.exit_code != 0) == fails, done.output
        return done.output


def test_a_case_goes_all_the_way(factory, tmp_path, kept_open):  # noqa: PLR0915  one story
    # 1. People: everybody makes an account and registers their organisation.
    applicant = newcomer(factory, kept_open, "fenna@firma.example", "Fenna")
    organisation(applicant, "Firma Noord", "12345678", "sme")
    partner = newcomer(factory, kept_open, "joris@lab.example", "Joris")
    organisation(partner, "Taallab", "23456789", "knowledge")
    staff = newcomer(factory, kept_open, "marit@fabriek.example", "Marit")
    assessor = newcomer(factory, kept_open, "youssef@fabriek.example", "Youssef")
    funder = newcomer(factory, kept_open, "hilde@rijk.example", "Hilde")
    factory.manage("appoint", "marit@fabriek.example", "staff")
    factory.manage("appoint", "youssef@fabriek.example", "assessor")
    factory.manage("appoint", "hilde@rijk.example", "funder", "--funder", "state")
    token = token_of(applicant)
    api = kept_open(program(factory, token))
    fabriek = Terminal(factory, token, tmp_path)
    kept_open(http.client_for(Account(url=factory.url, token=token)))  # the terminal's own
    assert "Fenna" in fabriek("whoami")

    # 2. Cases: described in the terminal, a partner invited by the API, accepted on a page.
    described = ["--title", "Berichten sorteren", "--problem", "Het kost te veel tijd."]
    measured = ["--sector", "care", "--trl-now", "3", "--trl-aimed", "6"]
    fabriek("cases", "new", *described, *measured)
    case = api.get("cases/").json()["items"][0]["code"]
    assert "open" in fabriek("cases", "propose", case)
    invited = api.post(
        f"cases/{case}/partners", json={"kvk_number": "23456789", "part": "expert"}
    )
    assert invited.status_code == 201, invited.text
    assert partner.go(f"/cases/{case}/").page.status_code == 404
    partner.go("/").follow("/cases/invitations/").send("accept")
    assert partner.go(f"/cases/{case}/").page.status_code == 200
    applicant.go(f"/cases/{case}/intake").send(purpose="try", experience="none", months=3)
    assert "Playground" in applicant.go(f"/applications/advice/{case}").text

    # 3. Access: started on the advice, filled in through the terminal, judged on pages.
    applicant.send("/applications/new", case=case, mode="playground")
    application = applicant.path.split("/")[2]
    refused = fabriek("apply", application, "--submit", fails=True)
    assert "[incomplete]" in refused or "[invalid]" in refused
    answers = tmp_path / "answers.json"
    answers.write_text(json.dumps(ANSWERS))
    assert "submitted" in fabriek("apply", application, "--answers", str(answers), "--submit")
    page = f"/applications/{application}/"
    staff.go(page).send("find_eligible")
    judged = {"technical-is_positive": "yes", "technical-remarks": "Past op één GPU."}
    assessor.go(page).send("technical", **judged)
    staff.go(page).send("award", **{"award-reasons": "Goed plan."})
    applicant.go(page).send("accept")
    assert api.get(f"applications/{application}").json()["state"] == "accepted"

    # 4. Allocations: staff open the GPU-hours.
    staff.go("/allocations/").follow(f"/allocations/awards/{application}").send(share="nl")
    account = api.get("allocations/").json()["items"][0]["account"]
    assert api.get(f"allocations/{account}").json()["gpu_seconds_granted"] == 5000 * 3600

    # 5. Datasets: text through the terminal, rows through the page; staff see neither.
    text = tmp_path / "tekst.txt"
    text.write_text("\n\n".join(f"Dit is zin {n} over zorg en verkeer." for n in range(300)))
    fabriek("data", "new", "--case", case, "--title", "Tekst", "--no-personal")
    corpus = api.get("datasets/").json()["items"][0]["code"]
    assert f"{corpus}@1" in fabriek("data", "push", corpus, str(text))
    applicant.go(f"/data/new/?case={case}").send(
        title="Rijen", licence="consortium-only", has_personal_data="no"
    )
    rows = applicant.path.split("/")[2]
    lines = "\n".join(json.dumps(row) for row in ROWS)
    broken = [("rows.jsonl", lines + "\n{oops", "application/jsonl")]
    applicant.go(f"/data/{rows}/").send("push", files={"chosen": broken})
    assert "41" in applicant.text
    good = [("rows.jsonl", lines, "application/jsonl")]
    applicant.go(f"/data/{rows}/").send("push", files={"chosen": good})
    assert "rows.jsonl" in applicant.text
    assert staff.go(f"/data/{rows}/").page.status_code == 404

    # 6 and 7. Runs: a model from scratch by the terminal, then tuned on the rows by the page.
    said = fabriek(
        "run", "pretrain_lm", "--case", case, "--data", corpus, *PRETRAIN, "-y", "-f"
    )
    assert "succeeded" in said
    base = wait_for(lambda: api.get("models/").json()["items"])[0]["code"]
    wish = {
        "case": case,
        "recipe": "finetune_lm",
        "knobs": {"method": "lora", "epochs": 1, "tokens_per_row_max": 64},
        "inputs": {"dataset": f"{rows}@1", "model": base},
    }
    price = api.post("runs/price", json=wish).json()
    assert 0 < price["gpu_seconds"] <= price["gpu_seconds_held"]
    run = api.post("runs/", json=wish).json()["code"]
    wait_for(lambda: api.get(f"runs/{run}").json()["state"] == "succeeded", within_s=600)
    page = applicant.go(f"/runs/{run}/").text
    assert "exact match" in page.lower() or "precies" in page.lower()
    assert api.get(f"allocations/{account}").json()["gpu_seconds_spent"] > 0

    # 8. Registry: a card, an origin back to the case, and a folder that others can open.
    model = wait_for(
        lambda: [m for m in api.get("models/").json()["items"] if m["code"] != base]
    )
    code = model[0]["code"]
    assert case in applicant.go(f"/models/{code}/").text
    fabriek("models", "pull", code, str(tmp_path / "model"))
    assert (tmp_path / "model" / "model.safetensors").stat().st_size > 0
    assert f'base_model: "{base}"' in (tmp_path / "model" / "README.md").read_text()
    assert partner.go(f"/models/{code}/").page.status_code == 200
    assert staff.go(f"/models/{code}/").page.status_code == 404

    # 9. Reports: the funder sees figures, and no data.
    report = funder.go("/reports/state/").text
    assert "5.000" in report
    assert funder.go("/reports/eurohpc/").page.status_code in {403, 404}
    assert funder.go(f"/cases/{case}/").page.status_code == 404


ANSWERS = {
    "project": {"approach": "new_model", "result": "Als het klopt."},
    "data": {"data_description": "Verzonnen.", "data_size": 1, "personal_data": "no"},
    "use": {"months": 3, "help_wanted": "none"},
    "consents": {
        "civilian_purpose": "yes",
        "no_double_funding": "yes",
        "aid_received": 0,
        "accepts_terms": "yes",
    },
}


def wait_for(look, within_s=300):
    """Ask again until there is an answer; the loop works at its own pace.

    Only a test that fails waits to the end.
    """
    deadline = time.monotonic() + within_s
    while not (found := look()):
        assert time.monotonic() < deadline
        time.sleep(0.3)
    return found
