"""A run of own code: asked for, priced, refused where it may not be, followed, registered."""

import json
import re

import pytest

from fabriek.engines.local import Local
from fabriek.kernel.errors import Invalid, NotAllowed, NotEnough, WrongState
from fabriek.registry import collect
from fabriek.registry.models import Model, Rejection
from fabriek.runs import actions, folders, jobs, offers, own_code, own_files, rules, show
from fabriek.runs.models import Run
from fabriek.runs.states import RunState
from tests.agreements.policy_world import an_agreement, passed_on
from tests.answers import put_away
from tests.engines.waiting import eventually
from tests.factories import (
    a_case,
    a_model,
    a_partner,
    a_person,
    a_repository,
    a_run,
    an_organisation,
)
from tests.programs.conftest import TRAIN, a_tar, sent, wished
from tests.runs.world import a_text, followed, over, passes, pushed, seen_again

TRAINS = """
import json, os, pathlib, signal, sys
import torch
from safetensors.torch import save_file

torch.manual_seed(int(os.environ["FABRIEK_SEED"]))
text = (pathlib.Path(os.environ["FABRIEK_DATA"]) / "text.txt").read_text()
kept = pathlib.Path(os.environ["FABRIEK_CHECKPOINTS"]) / "state.pt"
x = torch.tensor([[float(len(word))] for word in text.split()[:40]])
y = 3 * x + 1
net = torch.nn.Linear(1, 1)
begin = 0
if kept.exists():
    state = torch.load(kept, weights_only=True)
    net.load_state_dict(state["net"])
    begin = int(state["step"])
stop = []
signal.signal(signal.SIGTERM, lambda *_: stop.append(True))
learn = torch.optim.SGD(net.parameters(), lr=0.01)
figures = open(os.environ["FABRIEK_FIGURES"], "a", buffering=1)
for step in range(begin, int(sys.argv[1])):
    loss = torch.nn.functional.mse_loss(net(x), y)
    learn.zero_grad(); loss.backward(); learn.step()
    print(json.dumps({"step": step, "loss": loss.item()}), file=figures)
    signal.sigtimedwait([], 0 if begin else float(sys.argv[2]))
    if stop:
        torch.save({"net": net.state_dict(), "step": step + 1}, kept)
        print("saved at", step + 1)
        sys.exit(0)
model = pathlib.Path(os.environ["FABRIEK_MODEL"])
save_file(net.state_dict(), model / "model.safetensors")
(model / "config.json").write_text('{"kind": "a line"}')
out = pathlib.Path(os.environ["FABRIEK_OUTPUT"])
(out / "metrics.json").write_text(json.dumps({"accuracy": 0.5, "final_loss": loss.item()}))
print("began at", begin)
"""


@pytest.fixture
def machine(tmp_path):
    return Local(tmp_path / "engine", gpus=1, grace_s=60, beat_s=0.1)


def asked(world, *, files=None, command="python train.py 40 0", **changes):
    revision = sent(world, files or {"train.py": TRAINS})
    inputs = {"dataset": world.revision}
    wish = wished(world, revision, knobs={"command": command}, inputs=inputs, **changes)
    return actions.ask(wish, allocation=world.allocation, by=world.person)


# --- one whole run ---------------------------------------------------------------------
@pytest.mark.slow
def test_it_learns_is_stopped_goes_on_and_becomes_a_model_with_its_origin(world, machine):
    run = asked(world, command="python train.py 60 0.5")
    eventually(lambda: passes(machine) or seen_again(run).metrics.count() > 3, within_s=60)
    assert rules.is_pausable(seen_again(run))
    actions.pause(seen_again(run), by=world.person)

    paused = over(machine, run, within_s=30)
    onward = actions.go_on(paused, by=world.person)
    ended = over(machine, onward, within_s=60)
    collect.tick()

    assert (paused.state, paused.reason) == (RunState.CANCELLED, "paused")
    saved = int(re.search(r"saved at (\d+)", folders.log_tail(paused))[1])
    assert ended.state == RunState.SUCCEEDED, folders.log_tail(ended)
    assert f"began at {saved}" in folders.log_tail(ended)
    steps = ended.metrics.filter(name="loss").order_by("step").values_list("step", flat=True)
    assert (steps[0], steps.last()) == (saved, 59)
    assert ended.scores["accuracy"] == 0.5
    model = Model.objects.get(run=ended)
    code = ended.inputs.get(name="code").revision
    assert f"Code: trial ({code.repository.code}@1, sha256 of its listing" in model.card
    assert "from no commit that was told" in model.card
    assert "The factory did not measure them" in model.card
    assert "never saw" not in model.card
    assert model.versions["torch"]
    assert world.held() == 0


def test_what_leaves_no_model_is_no_failure_of_the_registry(world, machine):
    run = asked(world, files={"a.py": "print('done')"}, command="python a.py")

    ended = over(machine, run, within_s=40)
    collect.tick()

    assert (ended.state, ended.exit_code) == (RunState.SUCCEEDED, 0)
    assert not Model.objects.exists()
    assert not Rejection.objects.exists()
    assert seen_again(run).outputs_taken_at is not None


def test_a_pickle_is_refused_as_of_any_run(world, machine, browser):
    pickles = (
        "import os, pickle\n"
        "place = os.environ['FABRIEK_MODEL']\n"
        "pickle.dump([1], open(place + '/model.pkl', 'wb'))\n"
    )
    run = asked(world, files={"a.py": pickles}, command="python a.py")

    over(machine, run, within_s=40)
    collect.tick()

    assert Rejection.objects.get(run=run).code == "pickle"
    page = browser(world.person).get(run.get_absolute_url()).content.decode()
    assert "What it left is no model: “model.pkl” is in a format" in page


def test_the_page_of_its_model_says_whose_scores_these_are(world, browser):
    said = "As its own code says. The factory did not measure them"
    for recipe, is_said in (("script", True), ("finetune_lm", False)):
        run = a_run(allocation=world.allocation, recipe=recipe)
        model = a_model(case=world.case, run=run, scores={"accuracy_after": 0.9})

        page = browser(world.person).get(model.get_absolute_url()).content.decode()

        assert (said in page, "kept apart: the model never" in page) == (is_said, not is_said)


def test_why_it_ended_stands_on_its_page_in_plain_words(world, machine, browser):
    run = asked(world, files={"a.py": "import nosuchthing"}, command="python a.py")

    ended = over(machine, run, within_s=40)

    said = "Your program imports “nosuchthing”, which is not there."
    assert (ended.state, ended.exit_code) == (RunState.FAILED, 1)
    assert show.failure(ended, world.person, inside=True).startswith(said)
    page = browser(world.person).get(run.get_absolute_url()).content.decode()
    assert said in page


# --- what it costs ---------------------------------------------------------------------
def test_the_price_is_the_time_that_was_asked_for(world):
    wish = wished(world, sent(world), gpus=2, timeout_s=7200)

    price = actions.price_for(wish, case=world.case, by=world.person)

    assert (price.gpu_seconds, price.gpu_seconds_held, price.timeout_s) == (14400, 14400, 7200)
    assert "the most it costs" in price.why[0]


def test_who_cannot_pay_for_the_most_it_may_cost_is_refused(world):
    wish = wished(world, sent(world), gpus=1024, timeout_s=3600)

    with pytest.raises(NotEnough):
        actions.ask(wish, allocation=world.allocation, by=world.person)

    assert not Run.objects.exists()


# --- what is looked at before ----------------------------------------------------------
@pytest.mark.parametrize(
    ("knobs", "said"),
    [
        ({"command": ""}, "Write the command"),
        ({"command": "python other.py"}, "no such file"),
        ({"command": "python train.py | tee x"}, "is for a shell"),
        ({"environment": "nothing.txt"}, "is not there"),
        ({"environment": "lacks.txt"}, "installs no packages, and its own environment lacks"),
    ],
)
def test_a_mistake_is_told_before_it_costs_anything(world, knobs, said):
    revision = sent(world, {"train.py": "1", "lacks.txt": "nosuchpackage==1\n"})
    wish = wished(world, revision, knobs=knobs)

    with pytest.raises(Invalid, match=re.escape(said)):
        actions.price_for(wish, case=world.case, by=world.person)

    assert not Run.objects.exists()


def test_with_an_index_what_the_base_lacks_is_no_mistake(world, settings):
    settings.PACKAGE_INDEX = "https://index.example.org/simple"
    revision = sent(world, {"train.py": "1", "lacks.txt": "nosuchpackage==1\n"})
    wish = wished(world, revision, knobs={"environment": "lacks.txt"})

    assert actions.price_for(wish, case=world.case, by=world.person).gpu_seconds == 3600


def test_code_of_another_case_is_not_there(world):
    other = sent(world)
    other.repository.case = a_case()
    other.repository.save()

    with pytest.raises(Invalid) as refused:
        actions.price_for(wished(world, other), case=world.case, by=world.person)

    assert refused.value.code == "input_of_another_case"


def test_a_dataset_is_no_code(world):
    wish = wished(world, world.revision)

    with pytest.raises(Invalid, match="cannot be used here"):
        actions.price_for(wish, case=world.case, by=world.person)


# --- where it is not run ---------------------------------------------------------------
def test_it_is_off_where_nobody_said_otherwise(world, settings, browser, program):
    revision = sent(world)
    settings.OWN_CODE = False
    wish = wished(world, revision)

    with pytest.raises(WrongState) as refused:
        actions.ask(wish, allocation=world.allocation, by=world.person)

    client = browser(world.person)
    assert refused.value.code == "own_code_not_offered"
    assert "script" not in [one.name for one in offers.recipes()]
    assert "/code/new" not in client.get(f"/runs/new?case={world.case.code}").content.decode()
    assert client.get(f"/code/new?case={world.case.code}").status_code == 409


def test_a_run_that_waits_ends_when_it_is_turned_off(world, settings, engine):
    run = asked(world)
    settings.OWN_CODE = False

    passes(engine)

    ended = seen_again(run)
    assert (ended.state, ended.reason) == (RunState.FAILED, "own_code_off")
    assert world.held() == 0


def test_each_case_keeps_its_packages_apart(world, settings):
    settings.PACKAGE_INDEX = "https://index.example.org/simple"
    run = asked(world)

    told = dict(own_code.environment(run))

    assert told["FABRIEK_PACKAGE_INDEX"] == settings.PACKAGE_INDEX
    assert told["FABRIEK_ENVIRONMENTS"].endswith(f"/environments-{world.case.code}")
    assert dict(jobs.job_of(run).environment) | told == dict(jobs.job_of(run).environment)


# --- data of others --------------------------------------------------------------------
@pytest.fixture
def lent(world):
    owner = a_case()
    repository = a_repository(case=owner, code="D26-8802", title="Lent")
    return pushed(repository, {"text.txt": "theirs"}, owner.created_by)


def denied(world, lent):
    wish = wished(world, sent(world), inputs={"dataset": lent}, timeout_s=3600)
    with pytest.raises(NotAllowed) as refused:
        actions.ask(wish, allocation=world.allocation, by=world.person)
    return refused.value.code


def test_lent_data_that_may_leave_can_be_worked_on(world, lent):
    an_agreement(lent.repository, world.case, place="open")
    wish = wished(world, sent(world), inputs={"dataset": lent})

    run = actions.ask(wish, allocation=world.allocation, by=world.person)

    assert run.inputs.get(name="dataset").agreement is not None


@pytest.mark.parametrize("place", ["shared", "secure"])
def test_data_that_stays_on_the_machine_is_not_for_own_code(world, lent, settings, place):
    settings.SLURM_SECURE_PARTITION, settings.ENGINE = "secure", "slurm"
    an_agreement(lent.repository, world.case, place=place)

    assert denied(world, lent) == "no_own_code"


def test_data_whose_owner_looks_at_results_is_not_for_own_code(world, lent):
    an_agreement(lent.repository, world.case, place="open", duties=["review"])

    assert denied(world, lent) == "looked_at_first"


def test_of_data_for_some_of_the_case_the_others_see_nothing(world, lent, program):
    firm, friend = an_organisation(lead=world.person), a_person()
    a_partner(world.case, organisation=firm)
    a_partner(world.case, lead=friend)
    an_agreement(lent.repository, world.case, place="open", organisations=[firm])
    world.person.__dict__.pop("roles", None)
    wish = wished(world, sent(world), inputs={"dataset": lent})

    run = actions.ask(wish, allocation=world.allocation, by=world.person)

    for address in (f"{run.code}/log", f"{run.code}/made", f"{run.code}/metrics"):
        assert program(world.person).get(f"/api/runs/{address}").status_code == 200
        assert program(friend).get(f"/api/runs/{address}").status_code == 404


@pytest.mark.parametrize("product", ["model_api", "statistics"])
def test_data_of_which_no_weights_may_go_out_is_not_for_own_code(world, lent, product):
    an_agreement(lent.repository, world.case, place="open", product=product)

    assert denied(world, lent) == "makes_too_much"


def test_a_copy_of_lent_data_in_the_code_is_that_data(world, lent):
    """Who may read it sends it along as a file of the code, under another name."""
    agreement = an_agreement(lent.repository, world.case, place="shared")
    revision = sent(world)
    passed_on(revision.repository, agreement)
    wish = wished(world, revision)

    with pytest.raises(NotAllowed) as refused:
        actions.ask(wish, allocation=world.allocation, by=world.person)

    assert refused.value.code == "no_own_code"


def test_a_model_that_waits_for_a_look_is_no_base_for_own_code(world, lent):
    agreement = an_agreement(lent.repository, world.case, place="open", duties=["review"])
    model = a_repository(case=world.case, kind="model", code="M26-8803")
    base = pushed(model, {"config.json": "{}"}, world.person)
    passed_on(model, agreement, needs_review=True)
    wish = wished(world, sent(world), inputs={"model": base})

    with pytest.raises(NotAllowed) as refused:
        actions.ask(wish, allocation=world.allocation, by=world.person)

    assert refused.value.code == "waits_for_review"


def test_it_never_goes_to_the_secure_part(world, settings):
    settings.SLURM_SECURE_PARTITION, settings.ENGINE = "secure", "slurm"

    assert not asked(world).is_secure


# --- the page --------------------------------------------------------------------------
def typed(world, **changes):
    return {
        "allocation": world.allocation.account,
        "name": "",
        "knob_command": "python train.py",
        "knob_environment": "",
        "gpus": "1",
        "hours": "2",
        "seed": "1",
        "input_code": "",
        "input_dataset": "",
        "input_dataset_2": "",
        "input_dataset_3": "",
        "input_model": "",
    } | changes


def form_of(world):
    return f"/code/new?case={world.case.code}"


def an_upload(files=None, name="my code.tar.gz"):
    packed = a_tar(files or {"train.py": TRAIN})
    packed.name = name
    return packed


def test_it_is_offered_beside_the_recipes(world, browser):
    page = browser(world.person).get(f"/runs/new?case={world.case.code}").content.decode()

    assert f'href="{form_of(world)}"' in page


def test_a_page_sends_code_and_starts_it(world, browser):
    answer = browser(world.person).post(form_of(world), typed(world, chosen=an_upload()))

    run = Run.objects.get()
    code = run.inputs.get(name="code").revision
    assert (answer.status_code, answer["Location"]) == (302, run.get_absolute_url())
    assert (run.recipe, run.timeout_s, run.knobs["command"]) == (
        "script",
        7200,
        "python train.py",
    )
    assert (code.repository.title, code.author) == ("my code", world.person)


def test_a_mistake_elsewhere_does_not_lose_what_was_sent(world, browser):
    sends = typed(world, chosen=an_upload(), knob_command="python other.py")

    answer = browser(world.person).post(form_of(world), sends)

    page = answer.content.decode()
    [code] = re.findall(r'<option value="(P[^"]+)" selected', page)
    assert answer.status_code == 422
    assert "no such file" in page
    again = browser(world.person).post(form_of(world), typed(world, input_code=code))
    assert again.status_code == 302


def test_the_price_is_shown_and_nothing_started(world, browser):
    answer = browser(world.person).post(
        form_of(world), typed(world, chosen=an_upload(), look="1")
    )

    assert answer.status_code == 200
    assert "It costs at most" in answer.content.decode()
    assert not Run.objects.exists()


def test_a_page_says_what_is_wrong_with_what_was_sent(world, browser, settings):
    settings.CODE_LIMIT_BYTES = 200
    large = an_upload({"train.py": "".join(map(str, range(2000)))})
    broken = an_upload()
    broken.truncate(30)

    answers = [
        browser(world.person).post(form_of(world), typed(world, chosen=one))
        for one in (large, broken)
    ]

    said = [one.content.decode() for one in answers]
    assert [one.status_code for one in answers] == [422, 422]
    assert "the most that can be sent as code" in said[0]
    assert "This is no .zip or .tar.gz" in said[1]
    assert not Run.objects.exists()


def test_nothing_sent_and_nothing_chosen_is_asked_for(world, browser):
    answer = browser(world.person).post(form_of(world), typed(world))

    assert answer.status_code == 422
    assert "Send the code that is to run." in answer.content.decode()


def test_the_form_is_for_people_of_the_case(world, browser):
    assert browser(a_person()).get(form_of(world)).status_code == 404
    assert browser(a_person(duty="staff")).get(form_of(world)).status_code == 403


def test_a_post_without_the_token_of_the_page_is_refused(world, browser):
    client = browser(world.person)
    client.handler.enforce_csrf_checks = True

    answer = client.post(form_of(world), typed(world, chosen=an_upload()))

    assert answer.status_code == 403
    assert not Run.objects.exists()


def test_it_is_run_again_from_the_page_of_the_run(world, browser, engine):
    run = asked(world)
    page = browser(world.person).get(f"/runs/new?like={run.code}").content.decode()

    assert 'value="python train.py 40 0"' in page
    assert "Look at the rows" not in page


def test_the_api_asks_for_it_with_what_was_sent(world, program):
    revision = sent(world)
    wish = {
        "case": world.case.code,
        "recipe": "script",
        "knobs": {"command": "python train.py"},
        "inputs": {"code": f"{revision.repository.code}@1", "dataset": "D26-9001"},
        "timeout_s": 600,
    }
    data = a_text(world.case, world.person)
    wish["inputs"]["dataset"] = data.repository.code

    answer = program(world.person).post(
        "/api/runs/", json.dumps(wish), content_type="application/json"
    )

    assert answer.status_code == 201
    assert answer.json()["gpu_seconds_held"] == 600


def test_its_log_and_figures_are_not_for_others(world, machine, program):
    run = asked(world, files={"a.py": "print('secret')"}, command="python a.py")
    followed(machine, run, RunState.SUCCEEDED, within_s=40)

    stranger, staff = a_person(), a_person(duty="staff")

    for person in (stranger, staff):
        assert program(person).get(f"/api/runs/{run.code}/log").status_code == 404
    told = program(world.person).get(f"/api/runs/{run.code}/log").json()
    assert told["text"] == "secret\n"


# --- what it leaves to read ------------------------------------------------------------
LEAVES = """
import os, pathlib
out = pathlib.Path(os.environ["FABRIEK_OUTPUT"])
(out / "plots").mkdir()
(out / "plots" / "a b.csv").write_text("1,2")
(out / "link").symlink_to("/etc/passwd")
(pathlib.Path(os.environ["FABRIEK_MODEL"]) / "config.json").write_text("{}")
"""


def body(response):
    found = b"".join(response.streaming_content)
    put_away(response)
    return found


def test_files_that_it_left_are_fetched_one_by_one_and_its_model_is_not(
    world, machine, browser, monkeypatch
):
    run = asked(world, files={"a.py": LEAVES}, command="python a.py")
    over(machine, run, within_s=40)
    client = browser(world.person)

    page = client.get(run.get_absolute_url()).content.decode()
    file = client.get(f"/runs/{run.code}/made/plots/a%20b.csv")

    assert "plots/a b.csv" in page
    assert "environment.txt" in page
    assert body(file) == b"1,2"
    assert file["Content-Disposition"].startswith("attachment")
    for name in ("link", "model/config.json", "report.json", "../run.json", "nothing"):
        assert client.get(f"/runs/{run.code}/made/{name}").status_code == 404
    monkeypatch.setattr(own_files, "NAMES_MAX", 1)
    page = client.get(run.get_absolute_url()).content.decode()
    assert "plots/a b.csv" not in page
    assert "left more files than are listed here" in page


def test_files_that_it_left_are_not_for_others(world, machine, program):
    run = asked(world, files={"a.py": LEAVES}, command="python a.py")
    over(machine, run, within_s=40)

    names = program(world.person).get(f"/api/runs/{run.code}/made").json()["items"]
    address = f"/api/runs/{run.code}/made/plots/a%20b.csv"

    assert "plots/a b.csv" in [one["name"] for one in names]
    assert body(program(world.person).get(address)) == b"1,2"
    assert program(a_person()).get(address).status_code == 404
    assert program(a_person(duty="staff")).get(address).status_code == 404
