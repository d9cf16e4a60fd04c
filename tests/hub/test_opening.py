"""A pushed model that shows what is closed and of others is not opened, nor changed to that."""

import pytest

from fabriek.kernel.errors import Refused
from fabriek.registry import opening
from fabriek.registry.models import Model
from fabriek.store.models import File, Ref, Repository, Revision
from tests.factories import a_case, a_dataset, a_partner, a_person, a_repository
from tests.hub.calls import Hub, small
from tests.hub.test_descent import a_card, named
from tests.hub.test_models import WHOLE, weights

pytestmark = pytest.mark.django_db
LARGE = weights(size=100)
TABLE = b"naam,uitslag\n" + b"Jansen,positief\n" * 40


@pytest.fixture
def hub(made):
    return made("models", "desk")


def theirs(case, *, kind="model", code="M26-8009"):
    partner = a_person()
    a_partner(case, lead=partner)
    files = {"config.json": b"{}", "model.safetensors": LARGE, "data.csv": TABLE}
    return named(a_repository(case=case, kind=kind), partner, code, files)


def own(case, lead, **fields):
    dataset = a_dataset(case=case, **{"licence": "CC-BY-4.0"} | fields)
    return named(dataset.repository, lead, dataset.code, {"data.csv": TABLE})


def opened(lead, **given):
    model = Model.objects.get(repository__name="desk")
    return opening.open_up(model, opening.Said(sure=True, **given), by=lead)


def code_of_refusal(lead):
    with pytest.raises(Refused) as refused:
        opened(lead)
    return refused.value.code


@pytest.mark.parametrize(
    "files",
    [
        {"model.safetensors": LARGE},
        {"data.csv": TABLE},
        {"README.md": a_card(license="mit", base_model="M26-8009")},
        {"README.md": a_card(license="mit", datasets="[x/y, D26-9999]")},
    ],
)
@pytest.mark.parametrize("where", ["partner", "stranger"])
def test_what_it_shows_of_others_keeps_it_closed(hub, case, lead, files, where):
    kept = theirs(case if where == "partner" else a_case(lead=a_person()))

    hub.push(WHOLE | files)

    assert code_of_refusal(lead) == "made_of_others"
    Repository.objects.filter(pk=kept.pk).update(is_open=True)
    if b"D26-9999" not in files.get("README.md", b""):
        opened(lead)


def test_so_does_what_ones_own_data_shows(hub, case, lead):
    theirs(case)
    data = own(case, lead)

    hub.push(WHOLE | {"README.md": a_card(license="mit", datasets=data.code)})

    assert code_of_refusal(lead) == "made_of_others"


def test_what_others_had_later_or_is_the_same_everywhere_is_no_sign(hub, case, lead):
    hub.push(WHOLE | {"data.csv": TABLE, "LICENSE.md": TABLE * 2})
    other = named(a_repository(case=a_case()), a_person(), "D26-8011", {"data.csv": TABLE})
    model = Model.objects.get()
    opened(lead)
    opening.close(model, by=lead)
    assert not other.is_open
    opened(lead)


@pytest.mark.parametrize("shows", ["bytes", "name"])
def test_ones_own_data_counts_with_its_licence_and_its_people(hub, case, lead, shows):
    data = own(case, lead, has_personal_data=True, licence="consortium-only")
    card = {"datasets": data.code} if shows == "name" else {}
    table = {"data.csv": TABLE} if shows == "bytes" else {}
    hub.push(WHOLE | table | {"README.md": a_card(license="mit", **card)})

    assert code_of_refusal(lead) == "licence"
    data.dataset.licence = "CC0-1.0"
    data.dataset.save()
    assert code_of_refusal(lead) == "personal_data"
    opened(lead, why="All agreed.")


def test_the_newest_card_says_the_licence(hub, lead):
    hub.push(WHOLE)
    hub.push({"README.md": a_card(license="cc-by-nc-4.0")})
    assert Model.objects.get().licence == "cc-by-nc-4.0"
    assert code_of_refusal(lead) == "licence"

    hub.push({"README.md": a_card(license="mit")})
    draft = {"kind": Ref.Kind.BRANCH, "name": "draft", "revision": Revision.objects.first()}
    Ref.objects.create(repository=Repository.objects.get(), **draft)
    hub.push({"README.md": a_card(license="other")}, branch="draft")
    assert Model.objects.get().licence == "mit"
    assert code_of_refusal(lead) == "licence"


@pytest.mark.parametrize(
    "files",
    [
        {"README.md": a_card(license="cc-by-nc-4.0")},
        {"model.safetensors": LARGE},
        {"README.md": a_card(license="mit", datasets="D26-8012")},
    ],
)
def test_an_open_model_is_not_changed_into_what_could_not_be_open(hub, case, lead, files):
    theirs(case)
    hub.push(WHOLE)
    opened(lead)
    data = own(case, lead, has_personal_data=True)
    Repository.objects.filter(pk=data.pk).update(code="D26-8012")

    answer = hub.commit(*(small(path, content) for path, content in files.items()))

    assert (answer.status_code, answer.json()["code"]) == (409, "open_to_all")
    assert Model.objects.get().revision.number == 1
    hub.push({"README.md": a_card(license="apache-2.0")})
    assert Model.objects.get().licence == "apache-2.0"


def test_its_name_leaves_a_confidential_case_and_still_takes_what_is_pushed(hub, case, lead):
    case.is_confidential = True
    case.save()
    hub.push(WHOLE)
    before = hub.repo_id

    name = f"open/balie-{opened(lead, name='balie').code.lower()}"
    there = Hub(hub.client, name, "models")
    there.push({"notes.md": b"More."})
    told = a_card(license="mit") + f"Made for {case.title.upper()}.".encode()
    refused = there.commit(small("README.md", told))

    assert (refused.status_code, refused.json()["code"]) == (409, "open_to_all")
    assert hub.client.get(f"/api/models/{before}").status_code == 404
    found = hub.client.get(f"/api/models/{name}").json()
    assert (found["author"], "notes.md" in str(found["siblings"])) == ("open", True)


def test_nothing_beside_its_card_tells_of_a_confidential_case_then_or_later(hub, case, lead):
    case.title, case.is_confidential = "Zwanenmeer overname", True
    case.save()
    told = {"docs/README.md": b"Voor Zwanenmeer overname.", "zwanenmeer_overname.json": b"{}"}
    hub.push(WHOLE | told)
    Revision.objects.update(message="ZwanenmeerOvername: eerste")
    revision = Revision.objects.get()
    tag = Ref.objects.create(
        repository=revision.repository, kind="tag", name=case.code, revision=revision
    )

    with pytest.raises(Refused) as refused:
        opened(lead)

    places = ("message of revision 1", "docs/README.md, revision 1", "zwanenmeer_o", case.code)
    assert [place in str(refused.value) for place in places] == [True] * 4
    tag.delete()
    File.objects.filter(path__in=told).delete()
    Revision.objects.update(message="first")
    with pytest.raises(Refused) as about:
        opened(lead, about="Uit de Zwanenmeer overname.")
    assert set(about.value.fields) == {"about"}

    there = Hub(hub.client, opened(lead, name="balie").repository.repo_id, "models")
    code = there.repo_id.partition("balie-")[2]
    moves = [
        hub.client.post(
            "/api/repos/move",
            {"fromRepo": there.repo_id, "toRepo": f"open/{to}", "type": "model"},
            content_type="application/json",
        )
        for to in (f"zwanenmeer-overname-{code}", "Qwen2.5-7B-Instruct")
    ]
    named = [
        hub.client.post(f"{there.api}/{path}", given, content_type="application/json")
        for path, given in (
            ("tag/main", {"tag": "v1", "message": case.title}),
            ("tag/main", {"tag": case.code}),
            ("branch/zwanenmeer-overname", {}),
        )
    ]
    pushes = [there.commit(small(path, content)) for path, content in told.items()]
    assert [one.status_code for one in moves + named] == [422] * 5
    assert [one.status_code for one in pushes] == [409] * 2
    assert not Ref.objects.exists()
    there.push({"notes.md": b"More."})
