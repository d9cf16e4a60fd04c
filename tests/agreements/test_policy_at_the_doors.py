"""What is decided is what every door does: pages, API, runs, sessions and models."""

from datetime import timedelta

import pytest
from django.utils import timezone

from fabriek.agreements import inheritance, policy, reviews
from fabriek.agreements.models import Decided, Inherited
from fabriek.agreements.policy import Moment, Wish
from fabriek.agreements.states import AGREEMENT, AgreementState
from fabriek.kernel.errors import Invalid, NotAllowed, Refused
from fabriek.kernel.models import Entry
from fabriek.registry import actions as registry
from fabriek.registry import rules as model_rules
from fabriek.runs import actions as runs
from fabriek.runs import ended_agreements
from fabriek.runs.models import RunInput
from fabriek.store import queries as store
from tests.agreements.policy_world import a_policy_world, an_agreement, passed_on
from tests.answers import put_away
from tests.factories import a_model, a_person, a_repository, a_revision, an_allocation
from tests.registry.worlds import a_finished_run, some_data
from tests.runs.world import pushed

TEXT = "De assistent leest het bericht.\n"


@pytest.fixture
def world(db):
    world = a_policy_world()
    pushed(world.repository, {"text.txt": TEXT, "geheim.csv": "a,b\n1,2\n"}, world.owner)
    return world


@pytest.fixture
def listed(world):
    world.repository.listed_for = "members"
    world.repository.save()
    return world


def addresses(world):
    code = world.dataset.code
    return [
        f"/api/datasets/{code}/files",
        f"/api/datasets/{code}/files/text.txt",
        f"/api/datasets/{code}/files/none.txt",
        f"/api/datasets/{code}/revisions",
        f"/api/datasets/{code}/listing",
        f"/api/datasets/{code}/bundle",
        f"/api/datasets/{code}/changes",
    ]


# --- datasets -----------------------------------------------------------------------------
def test_to_a_stranger_no_door_tells_that_it_exists(world, browser, program):
    world.agree()
    code = world.dataset.code

    for address in [f"/api/datasets/{code}", *addresses(world)]:
        theirs = program(world.stranger).get(address)
        unknown = program(world.stranger).get(address.replace(code, "D99-9999"))
        assert (theirs.status_code, theirs.json()) == (404, unknown.json())
    for page in (f"/data/{code}/", f"/data/{code}/revisions/1/", f"/data/{code}/edit/"):
        assert browser(world.stranger).get(page).status_code == 404


def test_who_may_only_know_of_it_gets_no_name_and_no_byte(listed, browser, program):
    client = program(listed.stranger)

    page = browser(listed.stranger).get(f"/data/{listed.dataset.code}/")

    assert page.status_code == 200
    assert "Your case has no agreement on this data." in page.text
    assert "geheim" not in page.text
    assert "text.txt" not in page.text
    for address in addresses(listed):
        answer = client.get(address)
        assert (answer.status_code, answer.json()["code"]) == (403, "not_agreed")
    revision = browser(listed.stranger).get(f"/data/{listed.dataset.code}/revisions/1/")
    assert revision.status_code == 403
    file = browser(listed.stranger).get(f"/data/{listed.dataset.code}/revisions/1/none.txt")
    assert file.status_code == 403


def test_data_that_stays_here_is_seen_and_not_fetched(world, browser, program):
    world.agree(place="shared")
    page = browser(world.user).get(f"/data/{world.dataset.code}/").text

    assert "on the machine of the factory only" in page
    assert "text.txt" not in page
    for address in addresses(world):
        assert program(world.user).get(address).json()["code"] == "stays_here"


def test_with_an_agreement_on_open_files_they_read_and_change_nothing(world, browser, program):
    world.agree()
    code = world.dataset.code

    page = browser(world.user).get(f"/data/{code}/").text
    file = program(world.user).get(f"/api/datasets/{code}/files/text.txt")

    assert "You can read its files; you cannot change them." in page
    assert "text.txt" in page
    assert "Add files" not in page
    assert b"".join(file.streaming_content).decode() == TEXT
    given = {"files": [], "delete": ["text.txt"], "message": "x"}
    answer = program(world.user).post(
        f"/api/datasets/{code}/revisions", given, content_type="application/json"
    )
    assert answer.status_code == 403
    assert browser(world.user).get(f"/data/{code}/edit/").status_code == 403


def test_the_list_shows_what_others_let_one_use_and_not_what_is_only_listed(
    world, browser, program
):
    listed = a_policy_world(listed_for="members")
    world.agree()

    page = browser(world.user).get("/data/").text
    items = program(world.user).get("/api/datasets/").json()["items"]

    assert [item["code"] for item in items] == [world.dataset.code]
    assert listed.dataset.code not in page


def test_after_the_end_the_very_next_file_is_refused(world, program):
    agreement = world.agree()
    address = f"/api/datasets/{world.dataset.code}/files/text.txt"
    before = program(world.user).get(address)
    put_away(before)

    AGREEMENT.take("revoke", agreement, by=None, over_at=timezone.now(), reason="x")

    answer = program(world.user).get(address)
    assert before.status_code == 200
    assert (answer.status_code, answer.json()["code"]) == (403, "revoked")


# --- runs ---------------------------------------------------------------------------------
def test_the_api_refuses_a_run_in_words_and_prices_nothing(listed, program):
    allocation = an_allocation(case=listed.using)
    wanted = {
        "case": listed.using.code,
        "recipe": "pretrain_lm",
        "allocation": allocation.account,
        "knobs": {"size": "tiny"},
        "inputs": {"dataset": listed.dataset.code},
    }

    for address in ("/api/runs/price", "/api/runs/"):
        answer = program(listed.user).post(address, wanted, content_type="application/json")
        assert (answer.status_code, answer.json()["code"]) == (403, "not_agreed")
        assert "Ask its owner for access" in answer.json()["detail"]


def test_the_form_of_a_run_offers_what_is_lent(world, browser):
    an_allocation(case=world.using)
    address = f"/runs/new?case={world.using.code}&recipe=pretrain_lm"
    before = browser(world.user).get(address).text
    world.agree(place="shared", product="model_api")

    after = browser(world.user).get(address).text

    assert world.dataset.code not in before
    assert world.dataset.code in after


def test_the_form_says_why_a_choice_will_not_do(world, browser):
    an_allocation(case=world.using)
    world.agree(place="shared", product="statistics")
    address = f"/runs/new?case={world.using.code}&recipe=pretrain_lm"

    page = browser(world.user).get(address).text

    assert "lets less be made of this data than this work makes" in page


# --- models -------------------------------------------------------------------------------
def a_model_of(world, agreement, *, base=None):
    """Let a run of the using case make a model of the data, or of `base` alone."""
    data = [] if base else [world.dataset]
    own = some_data(world.using, code=f"D26-{90000 + RunInput.objects.count()}")
    run = a_finished_run(case=world.using, data=[own, *data], base=base)
    if agreement:
        rows = run.inputs.filter(revision__repository=world.repository)
        rows.update(agreement=agreement)
    return registry.register(run)


@pytest.fixture
def lent(world):
    """Give a world in which the number of the revision that tests make is free."""
    return a_policy_world()


def test_a_model_inherits_the_terms_of_its_data(lent):
    agreement = lent.agree(product="model_api", place="shared", duties=["attribute"])

    model = a_model_of(lent, agreement)

    row = Inherited.objects.get(repository=model.repository)
    assert row.agreement == agreement
    assert "Its weights stay in the factory." in model.card
    assert agreement.code not in model.card  # it stands in the card that travels


def test_weights_that_must_stay_are_not_even_fetched_by_their_makers(lent, browser, program):
    model = a_model_of(lent, lent.agree(product="model_api"))

    answer = program(lent.user).get(f"/api/models/{model.code}/files/model.safetensors")
    page = browser(lent.user).get(f"/models/{model.code}/")
    file = browser(lent.user).get(f"/models/{model.code}/files/model.safetensors")

    assert (answer.status_code, answer.json()["code"]) == (403, "weights_stay")
    assert file.status_code == 403
    assert "does not let its weights leave the factory" in page.text
    assert "Fetch all files at once" not in page.text


def test_a_base_two_steps_back_still_binds(lent):
    agreement = lent.agree(product="model_api")
    first = a_model_of(lent, agreement)
    second = a_model_of(lent, None, base=first)
    third = a_model_of(lent, None, base=second)

    assert not model_rules.may_download(lent.user, third)
    wish = Wish(moment=Moment.READ, repository=third.repository, person=lent.user)
    assert policy.would(wish).agreement == agreement


def test_of_two_agreements_the_strictest_counts(lent):
    other = a_policy_world()
    loose = lent.agree()
    strict = an_agreement(
        other.repository, lent.using, product="model_api", purposes=["training", "statistics"]
    )
    run = a_finished_run(case=lent.using, data=[lent.dataset, other.dataset])
    for agreement in (loose, strict):
        rows = run.inputs.filter(revision__repository=agreement.repository)
        rows.update(agreement=agreement)

    model = registry.register(run)

    together = inheritance.strictest(model.repository)
    assert together is not None
    assert (together.product, together.purposes) == ("model_api", {"training"})
    assert not model_rules.may_download(lent.user, model)


def test_what_a_job_fetched_while_it_ran_binds_its_model_too(lent):
    """It was never an input: the log of decisions knows it was read."""
    agreement = lent.agree(product="model_api")
    run = a_finished_run(case=lent.using, data=[some_data(lent.using)])
    policy.decide(lent.lay_out(run=run.code, revision=1))

    model = registry.register(run)

    assert [row.agreement for row in inheritance.terms_of(model.repository)] == [agreement]


def test_a_model_made_before_keeps_its_rights_after_the_end(lent):
    agreement = lent.agree(ends_at=timezone.now() + timedelta(days=1))
    model = a_model_of(lent, agreement)

    AGREEMENT.take("end", agreement, by=None, over_at=timezone.now())

    assert model_rules.may_download(lent.user, model)


def test_a_purpose_that_was_not_agreed_is_not_agreed_for_the_model_either(lent):
    model = a_model_of(lent, lent.agree(purposes=["evaluation"]))
    wish = Wish(
        moment=Moment.RUN,
        repository=model.repository,
        person=lent.user,
        case=lent.using,
        purpose="training",
        makes="model_api",
    )

    assert policy.would(wish).code == "other_purpose"


def test_a_bound_model_is_no_way_into_a_session(lent):
    model = a_model_of(lent, lent.agree(product="model_api"))
    wish = runs.Wish(
        recipe="lab",
        knobs={"idle_minutes": 30},
        timeout_s=600,
        inputs={"model": model.revision},
    )

    with pytest.raises(NotAllowed) as refused:
        runs.ask(wish, allocation=an_allocation(case=lent.using), by=lent.user)

    assert refused.value.code == "makes_too_much"


def test_the_bytes_of_a_bound_model_are_named_in_no_other_place(lent):
    """Else a second repository of the case would let out what the first must keep."""
    model = a_model_of(lent, lent.agree(product="model_api"))
    weights = model.revision.files.get(path="model.safetensors").blob
    other = a_repository(case=lent.using, kind="model", code="M26-9999")

    assert store.claimed(other, [weights.sha256]) == {}
    assert store.claimed(model.repository, [weights.sha256])


def test_lent_on_a_bound_model_asks_both_agreements(lent):
    model = a_model(case=lent.using)
    passed_on(model.repository, lent.agree(product="model_api"))
    third = a_policy_world()
    an_agreement(model.repository, third.using)
    wish = Wish(moment=Moment.READ, repository=model.repository, case=third.using)

    assert policy.would(wish).code == "weights_stay"


# --- the owner's look ---------------------------------------------------------------------
@pytest.fixture
def waiting(lent):
    return a_model_of(lent, lent.agree(duties=["review"]))


def test_a_result_waits_until_its_owner_looked(lent, waiting, browser, program):
    address = f"/api/models/{waiting.code}/files/model.safetensors"
    before = program(lent.user).get(address)
    result = Inherited.objects.get()
    page = browser(lent.owner).get("/data/reviews/").text

    answer = browser(lent.owner).post(
        f"/data/reviews/{result.pk}/",
        {"verdict": "released", "revision": str(waiting.revision.number)},
    )

    assert before.json()["code"] == "waits_for_review"
    assert waiting.code in page
    assert answer.status_code == 302
    after = program(lent.user).get(address)
    put_away(after)
    assert after.status_code == 200
    assert Entry.objects.get(verb="agreements.release").by == lent.owner


def test_the_owner_sees_the_model_that_waits_and_not_its_files(lent, waiting, browser):
    page = browser(lent.owner).get(f"/models/{waiting.code}/")

    assert page.status_code == 200
    assert "model.safetensors" not in page.text
    file = browser(lent.owner).get(f"/models/{waiting.code}/files/model.safetensors")
    assert file.status_code == 403


def test_what_is_held_back_says_why(lent, waiting, program):
    result = Inherited.objects.get()
    reviews.judge(result, by=lent.owner, verdict="held_back", note="It repeats names.")

    answer = program(lent.user).get(f"/api/models/{waiting.code}/files/model.safetensors")

    assert answer.json()["code"] == "held_back"
    assert "It repeats names." in answer.json()["detail"]


def test_to_hold_back_without_a_reason_is_refused(lent, waiting, browser):
    result = Inherited.objects.get()

    page = browser(lent.owner).post(f"/data/reviews/{result.pk}/", {"verdict": "held_back"})

    assert page.status_code == 422
    assert "Write why you hold it back" in page.text
    assert Inherited.objects.get().verdict == ""


def test_nobody_but_a_lead_of_the_owner_lets_it_go(lent, waiting, program, browser):
    result = Inherited.objects.get()
    address = f"/api/data-use/reviews/{result.pk}"

    for person in (lent.user, lent.stranger):
        answer = program(person).post(
            address, {"verdict": "released"}, content_type="application/json"
        )
        assert answer.status_code == 404
        assert browser(person).get(f"/data/reviews/{result.pk}/").status_code == 404
    with pytest.raises(NotAllowed):
        reviews.judge(result, by=a_person(), verdict="released")
    with pytest.raises(Invalid):
        reviews.judge(result, by=lent.owner, verdict="")
    assert Inherited.objects.get().verdict == ""


def test_files_that_were_saved_after_the_look_wait_again(lent, waiting):
    result = Inherited.objects.get()
    reviews.judge(result, by=lent.owner, verdict="released")
    before = model_rules.may_download(lent.user, waiting)

    a_revision(waiting.repository, number=waiting.revision.number + 1)

    assert before
    assert model_rules.release(lent.user, waiting).code == "waits_for_review"
    with pytest.raises(Refused) as refused:
        reviews.judge(result, by=lent.owner, verdict="released", revision=1)
    assert refused.value.code == "stale_revision"


def test_the_owner_is_asked_by_mail(waiting):
    assert Entry.objects.filter(verb="registry.ask_review").count() == 1


# --- the statement ------------------------------------------------------------------------
def test_both_parties_fetch_the_statement_and_nobody_else(world, browser, program):
    agreement = world.agree()
    AGREEMENT.take("revoke", agreement, by=None, over_at=timezone.now(), reason="x")
    ended_agreements.tick()

    for person in (world.owner, world.user):
        page = browser(person).get(f"/data/statements/{agreement.code}/")
        told = program(person).get(f"/api/data-use/statements/{agreement.code}").json()
        file = browser(person).get(f"/data/statements/{agreement.code}.json")
        assert "nothing in it changed since" in page.text
        assert told["is_genuine"]
        assert file.headers["Fabriek-Sha256"] == told["sha256"]
    for code in (agreement.code, "G99-9999"):
        page = browser(world.stranger).get(f"/data/statements/{code}/")
        answer = program(world.stranger).get(f"/api/data-use/statements/{code}")
        assert (page.status_code, answer.status_code) == (404, 404)


def test_every_use_of_lent_data_is_written_down_where_it_was_decided(world, program):
    agreement = world.agree()

    put_away(program(world.user).get(f"/api/datasets/{world.dataset.code}/files/text.txt"))

    line = Decided.objects.get()
    assert (line.moment, line.agreement, line.revision) == ("read", agreement, 1)
    assert agreement.state == AgreementState.IN_FORCE
