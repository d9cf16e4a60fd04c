import gzip
import io
import json
import pickle
import struct
import zipfile

import pytest

from fabriek.hub import doors
from fabriek.hub.answers import in_header
from fabriek.registry.models import Model
from fabriek.registry.reasons import NoModel
from fabriek.runs.models import RunInput
from fabriek.store.models import Repository, Revision
from fabriek.store.references import revision_of
from tests.factories import a_model, a_person, a_run, an_allocation
from tests.hub.calls import body, gone, large, small

pytestmark = pytest.mark.django_db


def weights(size=4):
    """Make a file of safetensors with one tensor of so many numbers."""
    head = json.dumps(
        {"w": {"dtype": "F32", "shape": [size], "data_offsets": [0, 4 * size]}}
    ).encode()
    return struct.pack("<Q", len(head)) + head + b"\0" * (4 * size)


def zipped():
    """Pack as torch packs weights."""
    packed = io.BytesIO()
    with zipfile.ZipFile(packed, "w") as archive:
        archive.writestr("archive/data.pkl", pickle.dumps(print))
    return packed.getvalue()


ZIPPED = zipped()
WHOLE = {
    "config.json": b"{}",
    "model.safetensors": weights(),
    "README.md": b"---\nlicense: eupl-1.2\n---\n# Desk\n",
    ".gitattributes": b"*.safetensors filter=lfs\n",
}


@pytest.fixture
def hub(made):
    return made("models", "desk")


def test_a_whole_model_is_registered(hub, lead, case):
    hub.push(WHOLE)

    model = Model.objects.get()
    assert (model.title, model.licence, model.case) == ("desk", "eupl-1.2", case)
    assert (model.facts, model.card) == ({"parameters_total": 4}, WHOLE["README.md"].decode())
    assert model.revision == Revision.objects.get()
    repository = Repository.objects.get()
    assert (repository.code, repository.repo_id) == (model.code, f"{case.code}/desk")
    assert hub.client.get(f"/api/models/{model.code}").json()["title"] == "desk"


def test_file_after_file_it_becomes_one(hub):
    hub.push({"config.json": b"{}"})
    assert Model.objects.count() == 0

    hub.push({"model.safetensors": weights()})

    assert Model.objects.get().revision.number == 2
    assert Model.objects.get().licence == "consortium-only"


def test_pushed_again_the_same_model_goes_on(hub):
    hub.push(WHOLE)
    first = Model.objects.get()

    hub.push({"model.safetensors": weights(8), "README.md": b"# New\n"})

    model = Model.objects.get()
    assert (model.pk, model.code, model.revision.number) == (first.pk, first.code, 2)
    assert (model.facts["parameters_total"], model.card) == (8, "# New\n")


def test_a_run_can_work_on_what_was_pushed_and_tells_which(hub, case):
    hub.push(WHOLE)
    model = Model.objects.get()

    used = revision_of(model.code, among=Repository.objects.all(), kind="model")
    run = a_run(allocation=an_allocation(case=case))
    RunInput.objects.create(run=run, name="model", revision=used)
    hub.push({"model.safetensors": weights(8)})
    derived = a_model(case=case, run=run, base=model)

    chain = hub.client.get(f"/api/models/{derived.code}/origin").json()
    assert model.code in json.dumps(chain)
    assert revision_of(model.code, among=Repository.objects.all(), kind="model").number == 2
    assert revision_of(f"{model.code}@1", among=Repository.objects.all(), kind="model") == used


@pytest.mark.parametrize(
    "name",
    ["pytorch_model.bin", "a/model.pt", "x.PKL", "optimizer.pth", "last.ckpt", "m.joblib"],
)
def test_what_can_run_code_when_opened_is_refused_before_and_at_the_commit(hub, name):
    asked = {"files": [{"path": name, "size": 10**9, "sample": ""}]}
    before = hub.client.post(
        f"{hub.api}/preupload/main", json.dumps(asked), content_type="application/json"
    )
    answer = hub.commit(small("config.json", b"{}"), small(name, b"\x80\x04."))

    assert [a.status_code for a in (before, answer)] == [422, 422]
    assert "safetensors" in answer.json()["error"]
    assert Revision.objects.count() == 0


@pytest.mark.parametrize(
    "files",
    [
        {"config.json": b"[]"},
        {"config.json": b"{"},
        {"model.safetensors": b""},
        {"model.safetensors": weights()[:-1]},
        {"model.safetensors": b"\xff" * 100},
        {"modeling_desk.py": b"import os"},
        {"model.safetensors.index.json": b'{"weight_map": {"w": "gone.safetensors"}}'},
    ],
)
def test_what_is_no_whole_model_stays_a_place_with_files(hub, files):
    hub.push(WHOLE | files)

    assert (Model.objects.count(), Revision.objects.count()) == (0, 1)
    assert Repository.objects.get().code is None


def test_who_pushes_what_is_no_model_is_told_why_until_it_is_one(
    hub, made, browser, program, lead, case
):
    other = made("models", "empty")
    answer = hub.commit(*(small(n, c) for n, c in (WHOLE | {"evil.py": b"1/0"}).items()))
    why = (
        "“evil.py” is not a kind of file a model consists of, so the model was not taken in. "
        "Take the file away."
    )
    there = browser(lead).get(f"/{hub.repo_id}/commit/{answer.json()['commitOid']}")
    page = browser(lead).get(there.url).content.decode()
    told = program(lead).get("/api/models/unfinished").json()
    strange = program(a_person()).get("/api/models/unfinished").json()

    assert answer.json()["hookOutput"] == f"{hub.repo_id} is not a model yet. {why}"
    topic, warned = answer["X-HF-Warning"].split("; ")
    assert topic == warned == in_header(answer.json()["hookOutput"])
    assert there.url == f"/models/?q={case.code}%2Fdesk"
    assert why in page
    assert "No model fits this search" not in page
    assert other.repo_id not in page
    assert [(one["name"], one["reasons"]) for one in told] == [
        (hub.repo_id, [why]),
        (other.repo_id, [str(NoModel("no_model", "config.json"))]),
    ]
    assert strange == []

    mended = hub.commit(gone("evil.py"))

    assert (mended.json()["hookOutput"], "X-HF-Warning" in mended) == ("", False)
    assert Model.objects.get().repository.repo_id == hub.repo_id
    left = program(lead).get("/api/models/unfinished").json()
    assert [one["name"] for one in left] == [other.repo_id]


def test_all_files_in_the_way_are_named_at_once(hub, program, lead):
    hub.push({f"step_{number}.py": b"" for number in range(7)} | {"config.json": b"{}"})

    (told,) = program(lead).get("/api/models/unfinished", {"q": "Desk"}).json()

    names = ", ".join(f"“step_{number}.py”" for number in range(5))
    assert told["reasons"] == [
        f"A model consists of no files of these kinds: {names} and 2 more. Take them away.",
        str(NoModel("no_model", "model.safetensors")),
    ]


def test_a_whole_model_stays_whole(hub):
    hub.push(WHOLE)

    for change in (
        [gone("model.safetensors")],
        [small("model.safetensors", weights()[:-1])],
        [small("run_me.py", b"import os")],
    ):
        answer = hub.commit(*change)
        assert answer.status_code == 422

    assert (Revision.objects.count(), Model.objects.get().revision.number) == (1, 1)


def test_beside_main_anything_may_be_tried(hub):
    hub.push(WHOLE)
    hub.client.post(f"{hub.api}/branch/try", "{}", content_type="application/json")

    answer = hub.commit(gone("model.safetensors"), branch="try")

    assert answer.status_code == 200
    assert Model.objects.get().revision.number == 1


def test_what_a_model_holds_is_let_out_by_a_decision_of_its_own(hub, monkeypatch):
    hub.push(WHOLE)
    asked = []
    real = doors.policy.decide
    monkeypatch.setattr(
        doors.policy, "decide", lambda wish: asked.append(str(wish.moment)) or real(wish)
    )

    hub.resolve("model.safetensors")
    hub.resolve("config.json")  # whatever its name says is in it

    assert asked == ["read", "release"] * 2


@pytest.mark.parametrize(
    ("name", "content"),
    [
        ("notes.txt", pickle.dumps(print)),
        ("weights", pickle.dumps(print, protocol=2)),
        ("notes.md", b"cos\nsystem\n(S'true'\ntR."),
        ("model.pkl.gz", b"anything"),
        ("notes.gz", gzip.compress(pickle.dumps(print))),
        ("weights.model", ZIPPED),
    ],
)
@pytest.mark.parametrize("is_large", [False, True])
@pytest.mark.parametrize("branch", ["main", "try"])
def test_what_can_run_code_is_known_by_its_bytes(hub, name, content, is_large, branch):
    hub.push({"config.json": b"{}"})
    hub.client.post(f"{hub.api}/branch/try", "{}", content_type="application/json")
    if is_large:
        hub.client.put(hub.links(content)[0], content, content_type="application/octet-stream")

    answer = hub.commit((large if is_large else small)(name, content), branch=branch)

    assert (answer.status_code, Revision.objects.count()) == (422, 1)
    assert "safetensors" in answer.json()["error"]


@pytest.mark.parametrize(
    "content", [b"", b"cat\ndog\n", b"{}", b"so.", bytes(range(256)), weights(5000)]
)
def test_what_only_holds_data_is_taken(hub, content):
    assert hub.commit(small("vocab.txt", content)).status_code == 200


def test_a_registered_model_is_not_removed(hub, case):
    hub.push(WHOLE)
    asked = {"name": "desk", "organization": case.code, "type": "model"}

    answer = hub.client.delete(
        "/api/repos/delete", json.dumps(asked), content_type="application/json"
    )

    assert (answer.status_code, Model.objects.count()) == (409, 1)


def test_a_model_that_a_run_made_is_read_by_its_name(hub, case, program, lead):
    model = a_model(case=case)
    Repository.objects.filter(pk=model.repository_id).update(
        namespace=case.code, name="made", code=model.code
    )

    answer = hub.client.get(f"/api/models/{case.code}/made")

    assert answer.json()["sha"] == model.revision.commit_id
    assert body(answer)
