"""A pushed model has the terms of what it visibly comes from: its card and its bytes tell."""

import json

import pytest

from fabriek.agreements import policy
from fabriek.agreements.models import Agreement, Inherited
from fabriek.agreements.policy import Moment, Wish
from fabriek.agreements.states import AgreementState
from fabriek.datasets import actions as datasets
from fabriek.kernel.errors import Invalid
from fabriek.kernel.models import Entry
from fabriek.registry.models import Model
from fabriek.store import actions as store
from fabriek.store.models import Repository
from tests.agreements.policy_world import an_agreement, passed_on
from tests.factories import a_case, a_partner, a_person, a_repository, an_organisation
from tests.hub.calls import Hub, b64, git_sha1, large, sha256, small
from tests.hub.test_models import WHOLE, weights

pytestmark = pytest.mark.django_db
LARGE = weights(size=100)


@pytest.fixture
def hub(made):
    return made("models", "desk")


@pytest.fixture
def lent(case):
    owner = a_person()
    return named(a_repository(case=a_case(lead=owner)), owner, "D26-8001")


def named(repository, person, code, files=None):
    store.name_repository(repository, code=code, title="questions")
    repository.refresh_from_db()
    given = files or {"data.csv": b"a,b\n1,2\n"}
    blobs = {
        name: store.store_bytes(repository, [content], by=person)
        for name, content in given.items()
    }
    store.commit(repository, blobs, message="files", by=person)
    return repository


def a_card(**matter):
    lines = "\n".join(f"{name}: {value}" for name, value in matter.items())
    return f"---\n{lines}\n---\n# Desk\n".encode()


def bound_by(repository=None):
    rows = Inherited.objects.order_by("pk")
    return [row.agreement for row in rows if repository in (None, row.repository)]


# --- the card ------------------------------------------------------------------------------
@pytest.mark.parametrize("key", ["datasets", "base_model", "source_datasets"])
@pytest.mark.parametrize("form", ["id", "code", "revision", "list", "small"])
def test_what_the_card_names_passes_its_terms_on(hub, case, lent, lead, key, form):
    agreement = an_agreement(lent, case, product="model_api", place="shared")
    value = {
        "id": lent.repo_id,
        "code": lent.code,
        "revision": f"{lent.code}@1",
        "list": f"[other/thing, {lent.repo_id}]",
        "small": lent.repo_id.lower(),
    }[form]

    hub.push(WHOLE | {"README.md": a_card(**{key: value})})

    model = Model.objects.get()
    release = Wish(moment=Moment.RELEASE, repository=model.repository, person=lead)
    assert bound_by() == [agreement]
    assert policy.would(release).code == "weights_stay"
    assert hub.resolve("model.safetensors").status_code == 403


def test_a_base_of_ones_own_passes_on_what_it_inherited(hub, case, lent, lead):
    agreement = an_agreement(lent, case, product="model_api")
    base = named(a_repository(case=case, kind="model"), lead, "M26-8002")
    passed_on(base, agreement)

    hub.push(WHOLE | {"README.md": a_card(base_model=base.repo_id)})

    assert bound_by(Repository.objects.get(name="desk")) == [agreement]


def test_once_bound_it_stays_so_whatever_the_card_says_later(hub, case, lent):
    an_agreement(lent, case)
    hub.push(WHOLE | {"README.md": a_card(datasets=lent.code)})

    hub.push({"README.md": b"# Nothing\n"})

    assert len(bound_by()) == 1


def test_files_that_are_no_model_yet_are_bound_too(hub, case, lent):
    an_agreement(lent, case)

    hub.push({"README.md": a_card(datasets=lent.code)})

    assert (len(bound_by()), Model.objects.count()) == (1, 0)


def test_the_last_agreement_binds_when_none_holds_any_more(hub, case, lent):
    an_agreement(lent, case)
    last = an_agreement(lent, case)
    Agreement.objects.update(state=AgreementState.ENDED)

    hub.push(WHOLE | {"README.md": a_card(datasets=lent.code)})

    assert bound_by() == [last]


def test_a_name_that_is_not_ones_to_see_binds_nothing(hub, case, lead):
    """Of another place, unknown, or of others: the answer is the same."""
    secret = named(a_repository(case=a_case(lead=a_person())), lead, "D26-8003")
    asked_for = named(a_repository(case=a_case(lead=a_person())), lead, "D26-8004")
    an_agreement(asked_for, case, state="asked", in_force_at=None)

    hub.push(
        WHOLE
        | {"README.md": a_card(datasets=f"[{secret.code}, {asked_for.code}, x/y, 7, null]")}
    )

    assert bound_by() == []
    assert Model.objects.count() == 1


@pytest.mark.parametrize("readme", [b"---\n&a [*a]\n---\n", b"---\ndatasets: {a: b}\n---\n"])
def test_a_card_that_cannot_be_read_names_nothing(hub, case, lent, readme):
    an_agreement(lent, case)

    hub.push(WHOLE | {"README.md": readme})

    assert (bound_by(), Model.objects.count()) == ([], 1)


def test_the_owner_is_asked_once_to_look_at_it(hub, case, lent):
    an_agreement(lent, case, duties=["review"])
    hub.push(WHOLE)
    hub.push({"README.md": a_card(datasets=lent.code)})
    hub.push({"README.md": a_card(datasets=lent.repo_id)})

    row = Inherited.objects.get()
    asked = Entry.objects.filter(verb="registry.ask_review")
    assert (row.needs_review, asked.count()) == (True, 1)


def test_the_owner_is_asked_when_it_becomes_a_model(hub, case, lent):
    an_agreement(lent, case, duties=["review"])

    hub.push(WHOLE | {"README.md": a_card(datasets=lent.code)})

    assert Entry.objects.filter(verb="registry.ask_review").count() == 1


# --- the bytes -----------------------------------------------------------------------------
def test_the_weights_of_a_bound_model_are_bound_in_another_place_too(hub, case, lent, lead):
    agreement = an_agreement(lent, case, product="model_api")
    files = {"model.safetensors": LARGE}
    bound = named(a_repository(case=case, kind="model"), lead, "M26-8005", files)
    passed_on(bound, agreement)

    hub.push(WHOLE | {"model.safetensors": LARGE, "README.md": b"# Mine\n"})

    assert bound_by(Repository.objects.get(name="desk")) == [agreement]
    assert hub.resolve("model.safetensors").status_code == 403


def test_lent_files_beside_a_model_bind_it(hub, case, lent):
    agreement = an_agreement(lent, case, product="model_api")
    rows = b"a,b\n" * 100
    named(lent, lent.case.created_by, lent.code, {"rows.csv": rows})

    hub.push(WHOLE | {"samples.csv": rows})

    assert bound_by() == [agreement]


def test_bytes_that_were_open_or_ones_own_before_bind_nothing(hub, case, lent, lead):
    """A tokenizer comes with the open base that everybody begins with."""
    tokenizer = b"{}" + b" " * 300
    files = {"tokenizer.json": tokenizer}
    named(a_repository(is_open=True, kind="model"), lead, "M26-8006", files)
    bound = named(a_repository(case=case, kind="model"), lead, "M26-8007", files)
    passed_on(bound, an_agreement(lent, case))

    hub.push(WHOLE | files)

    assert bound_by(Repository.objects.get(name="desk")) == []


def test_to_copy_them_to_a_place_of_ones_own_first_does_not_help(hub, case, lent, lead):
    agreement = an_agreement(lent, case)
    rows = b"a,b\n" * 100
    named(lent, lent.case.created_by, lent.code, {"rows.csv": rows})
    named(a_repository(case=case), lead, "D26-8008", {"copy.csv": rows})

    hub.push(WHOLE | {"samples.csv": rows})

    assert bound_by() == [agreement]


def test_what_is_lent_to_another_case_binds_nothing_here(hub, lent, lead):
    an_agreement(lent, a_case(lead=a_person()))
    rows = b"a,b\n" * 100
    named(lent, lent.case.created_by, lent.code, {"rows.csv": rows})

    hub.push(WHOLE | {"samples.csv": rows})

    assert bound_by() == []


def test_a_partner_that_is_not_named_is_bound_by_the_bytes_as_well(made, case, lent, program):
    partner = a_person()
    a_partner(case, organisation=an_organisation(lead=partner))
    agreement = an_agreement(lent, case, organisations=[case.organisation])
    rows = b"a,b\n" * 100
    named(lent, lent.case.created_by, lent.code, {"rows.csv": rows})
    hub = made("models", "desk")
    hub.client = program(partner)

    hub.push(WHOLE | {"samples.csv": rows})

    assert bound_by() == [agreement]


def test_who_may_write_to_a_copy_and_not_read_it_hears_nothing_of_what_is_there(
    made, case, lent, program
):
    """The name that git gives a short file is that of all that it can hold: one tries them."""
    partner = a_person()
    a_partner(case, organisation=an_organisation(lead=partner))
    an_agreement(lent, case, organisations=[case.organisation])
    rows = b"a,b\n" * 100
    named(lent, lent.case.created_by, lent.code, {"rows.csv": rows})
    hub = made("datasets", "copy")
    hub.push({"rows.csv": rows})
    asked = {"files": [{"path": "rows.csv", "size": len(rows), "sample": b64(rows)}]}

    def told(person):
        answer = program(person).post(
            f"{hub.api}/preupload/main", json.dumps(asked), content_type="application/json"
        )
        return answer.json()["files"][0]["oid"]

    assert told(case.created_by) == git_sha1(rows)
    assert told(partner) is None
    theirs, copy = Hub(program(partner), hub.repo_id), Repository.objects.get(name="copy")
    says = {}
    for guess in (rows, b"c,d\n" * 100):
        put, verify = theirs.links(guess)  # asked for, whether it is here or not
        wish = json.dumps({"oid": sha256(guess), "size": len(guess)})
        answers = (
            theirs.client.post(verify, wish, content_type="application/json"),
            theirs.commit(large("guessed.csv", guess)),
        )
        says[guess] = [(answer.status_code, answer.content) for answer in answers]
        assert datasets.missing(copy.dataset, [sha256(guess)], by=partner) == [sha256(guess)]
        with pytest.raises(Invalid, match="were not sent here"):
            datasets.commit(copy.dataset, {"a": sha256(guess)}, message="", by=partner)
    assert datasets.sizes_here(copy.dataset, [len(rows)], by=partner) == set()
    assert says[rows] == says[guess]

    theirs.client.put(put, guess, content_type="application/octet-stream")

    assert theirs.client.post(verify, wish, content_type="application/json").status_code == 200
    assert "actions" not in theirs.batch(guess).json()["objects"][0]
    assert theirs.commit(large("sent.csv", guess)).status_code == 200
    assert theirs.commit(small("small.csv", b"1,2\n")).status_code == 200
