"""Datasets made of lent data are used as that data is, whatever is done to hide it."""

import bz2
import gzip
import hashlib
import io
import json
import lzma
import tarfile
import zipfile
from datetime import timedelta

import pytest
from django.utils import timezone

from fabriek.agreements import descent, inheritance, policy
from fabriek.agreements import packed as packs
from fabriek.agreements.models import Agreement, Inherited
from fabriek.agreements.policy import Moment, Wish
from fabriek.agreements.states import AGREEMENT
from fabriek.catalogue import opening
from fabriek.datasets import actions as datasets
from fabriek.kernel.errors import NotAllowed, Refused, WrongState
from fabriek.registry import actions as registry
from fabriek.runs import actions as runs
from fabriek.runs import ended_agreements, hub_keys, warnings_of_end
from fabriek.runs.models import Run, RunInput
from fabriek.store.models import Blob, Repository
from fabriek.store.queries import the_store
from tests.agreements.policy_world import a_policy_world, an_agreement
from tests.datasets.conftest import made, push
from tests.factories import a_case, a_model, a_partner, a_person, an_allocation, an_organisation
from tests.registry.worlds import a_finished_run

pytestmark = pytest.mark.django_db
ROWS = b"naam,klacht\n" + b"Jansen,hoofdpijn\n" * 100
OWN = b"a,b\n" + b"1,2\n" * 400
LICENCE = b"Everybody may use this, under these conditions.\n" * 40
HTTP = {"content_type": "application/json"}


@pytest.fixture
def world():
    world = a_policy_world()
    push(world.dataset, {"rows.csv": ROWS}, by=world.owner)
    return world


def a_dataset_of(person, case):
    return made(by=person, case=case)


@pytest.fixture
def copy(world):
    """Make an empty dataset of the case that the data is lent to."""
    return a_dataset_of(world.user, world.using)


def fresh(dataset):
    return Repository.objects.select_related("case").get(pk=dataset.repository_id)


def bound_by(dataset):
    rows = inheritance.terms_of(fresh(dataset))
    return [row.agreement for row in rows]


def reading(dataset, person):
    return policy.would(Wish(moment=Moment.READ, repository=fresh(dataset), person=person))


def laid_out(dataset, case):
    return policy.would(Wish(moment=Moment.READ, repository=fresh(dataset), case=case))


def running(dataset, case, **more):
    wish = {"purpose": "training", "makes": "model_api", "repository": fresh(dataset)}
    return policy.would(Wish(moment=Moment.RUN, case=case, **wish | more))


# --- by its card -------------------------------------------------------------------------
@pytest.mark.parametrize(
    "line", ["source_datasets:\n- {code}", "source_datasets: ['{code}@1']", "datasets: {code}"]
)
def test_a_card_that_names_lent_data_binds(world, copy, line):
    agreement = world.agree(place="shared")
    card = f"---\n{line.format(code=world.dataset.code)}\n---\nMine\n".encode()

    push(copy, {"README.md": card, "own.csv": OWN}, by=world.user)

    assert bound_by(copy) == [agreement]
    assert reading(copy, world.user).code == "stays_here"


def test_the_name_by_which_programs_know_it_binds_too(world, copy):
    agreement = world.agree()
    repository = fresh(world.dataset)
    Repository.objects.filter(pk=repository.pk).update(namespace="noord", name="klachten")
    card = b"---\nsource_datasets:\n- Noord/Klachten\n---\n"

    push(copy, {"README.md": card, "own.csv": OWN}, by=world.user)

    assert bound_by(copy) == [agreement]


def test_to_take_the_card_away_later_sheds_nothing(world, copy):
    agreement = world.agree(place="shared")
    card = f"---\nsource_datasets: {world.dataset.code}\n---\n".encode()
    first = push(copy, {"README.md": card, "own.csv": OWN}, by=world.user)

    datasets.remove(copy, ["README.md"], by=world.user, message="", parent=first)

    assert bound_by(copy) == [agreement]
    assert reading(copy, world.user).code == "stays_here"


def test_a_name_of_data_that_is_not_theirs_to_see_binds_nothing(world, copy):
    card = f"---\nsource_datasets: {world.dataset.code}\n---\n".encode()

    push(copy, {"README.md": card, "own.csv": OWN}, by=world.user)

    assert bound_by(copy) == []
    assert reading(copy, world.user).code == "own"


@pytest.mark.parametrize("harm", ["gone", "changed"])
def test_a_damaged_card_is_named_and_sent_again_mended(world, copy, harm):
    """Its terms cannot be known, so nothing is saved; also of bytes that are only others."""
    card = f"---\ndatasets: {world.dataset.code}\n---\n".encode()
    push(copy, {"README.md": card}, by=world.user)
    path = the_store().path(Blob.objects.get(sha256=hashlib.sha256(card).hexdigest()))
    path.unlink()
    if harm == "changed":
        path.write_bytes(b"-" * len(card))

    with pytest.raises(Refused, match="Send “README.md” again") as refused:
        push(copy, {"b.csv": b"a,b\n"}, by=world.user)
    asked = datasets.missing(copy, [hashlib.sha256(card).hexdigest()], by=world.user)
    push(copy, {"README.md": card}, by=world.user)

    assert (refused.value.code, refused.value.status) == ("damaged", 409)
    assert asked == [hashlib.sha256(card).hexdigest()]
    assert push(copy, {"b.csv": b"a,b\n"}, by=world.user).number == 2


# --- by its bytes ------------------------------------------------------------------------
def test_the_same_bytes_under_another_name_bind(world, copy):
    agreement = world.agree(place="shared")

    push(copy, {"deep/holiday-pictures.bin": ROWS, "own.csv": OWN}, by=world.user)

    assert bound_by(copy) == [agreement]
    assert reading(copy, world.user).code == "stays_here"
    assert laid_out(copy, world.using).allowed


def test_what_is_removed_in_the_next_revision_binds_all_the_same(world, copy):
    agreement = world.agree()
    first = push(copy, {"rows.csv": ROWS, "own.csv": OWN}, by=world.user)

    datasets.remove(copy, ["rows.csv"], by=world.user, message="", parent=first)

    assert bound_by(copy) == [agreement]


def test_an_old_revision_of_the_source_counts_as_well(world, copy):
    agreement = world.agree()
    push(world.dataset, {"rows.csv": OWN + b"new\n"}, by=world.owner)

    push(copy, {"rows.csv": ROWS}, by=world.user)

    assert bound_by(copy) == [agreement]


def test_a_tar_that_is_sent_is_unpacked_and_binds(world, copy, program):
    agreement = world.agree()
    client = program(world.user)

    sent = client.post(
        f"/api/datasets/{copy.code}/bundle",
        tarred(ROWS),
        content_type="application/x-tar",
    )
    files = [{"path": path, "sha256": one} for path, one in sent.json()["files"].items()]
    client.post(f"/api/datasets/{copy.code}/revisions", {"files": files}, **HTTP)

    assert bound_by(copy) == [agreement]


def zipped(content):
    packed = io.BytesIO()
    with zipfile.ZipFile(packed, "w", zipfile.ZIP_DEFLATED) as pack:
        pack.writestr("a/b.csv", content)
    return packed.getvalue()


def tarred(content, mode="w"):
    packed = io.BytesIO()
    with tarfile.open(fileobj=packed, mode=mode) as tar:
        member = tarfile.TarInfo("x/other.csv")
        member.size = len(content)
        tar.addfile(member, io.BytesIO(content))
    return packed.getvalue()


@pytest.mark.parametrize(
    "packed",
    [
        zipped(ROWS),
        tarred(ROWS),
        tarred(ROWS, "w:gz"),
        tarred(ROWS, "w:xz"),
        gzip.compress(ROWS),
        bz2.compress(ROWS),
        lzma.compress(ROWS),
    ],
    ids=["zip", "tar", "tar.gz", "tar.xz", "gz", "bz2", "xz"],
)
def test_packed_under_any_name_it_binds(world, copy, packed):
    agreement = world.agree()

    push(copy, {"notes.csv": packed}, by=world.user)

    assert bound_by(copy) == [agreement]


@pytest.mark.parametrize(
    "packed",
    [zipped(OWN), zipped(ROWS)[:-40], gzip.compress(ROWS)[:-30], b"PK\x03\x04" + OWN, OWN],
    ids=["own", "cut zip", "cut gzip", "no zip", "plain"],
)
def test_a_pack_of_ones_own_or_a_broken_one_binds_nothing(world, copy, packed):
    world.agree()

    push(copy, {"notes.bin": packed}, by=world.user)

    assert bound_by(copy) == []


def test_a_pack_that_grows_without_end_is_left_alone(world, copy, monkeypatch):
    monkeypatch.setattr(packs, "MOST_BYTES", 1000)
    world.agree()

    push(copy, {"bomb.gz": gzip.compress(b"0" * 10_000_000)}, by=world.user)

    assert bound_by(copy) == []


def test_short_files_and_ones_own_bind_nothing(world, copy):
    push(world.dataset, {"labels.json": b"{}\n", "theirs.csv": OWN}, by=world.owner)
    mine = a_dataset_of(world.user, world.using)
    push(mine, {"mine.csv": OWN + b"x\n"}, by=world.user)
    push(world.dataset, {"got-from-user.csv": OWN + b"x\n"}, by=world.owner)
    world.agree()

    push(copy, {"labels.json": b"{}\n", "mine.csv": OWN + b"x\n"}, by=world.user)

    assert bound_by(copy) == []


@pytest.mark.parametrize(
    "name",
    [
        "LICENSE",
        "licence.txt",
        "LICENSE-APACHE-2.0.txt",
        "NOTICE",
        "docs/README.nl.md",
        "CITATION.cff",
        ".gitattributes",
        "deep/.gitignore",
    ],
)
def test_what_the_owner_calls_no_data_binds_nobody(world, copy, name):
    push(world.dataset, {name: LICENCE}, by=world.owner)
    world.agree()

    push(copy, {"words/of/use.csv": LICENCE, "own.csv": OWN}, by=world.user)
    push(copy, {"all.zip": zipped(LICENCE)}, by=world.user)

    assert bound_by(copy) == []


@pytest.mark.parametrize(
    "name", ["citations.csv", "NOTICES", "README.parquet", "LICENSE.txt/a"]
)
def test_a_name_that_only_begins_like_that_is_data(world, copy, name):
    push(world.dataset, {name: LICENCE}, by=world.owner)
    agreement = world.agree()

    push(copy, {"LICENSE": LICENCE}, by=world.user)

    assert bound_by(copy) == [agreement]


@pytest.mark.parametrize("name", ["LICENSE", "README.md", ".gitattributes"])
def test_data_that_who_sends_it_calls_a_licence_binds(world, copy, name):
    agreement = world.agree(place="shared")

    push(copy, {name: ROWS, "own.csv": OWN}, by=world.user)

    assert bound_by(copy) == [agreement]


def test_what_is_a_licence_and_data_as_well_binds(world, copy):
    push(world.dataset, {"LICENSE": ROWS}, by=world.owner)
    agreement = world.agree()

    push(copy, {"LICENSE": ROWS}, by=world.user)

    assert bound_by(copy) == [agreement]


def test_a_licence_of_very_many_bytes_is_data(world, copy):
    large = LICENCE * 1000
    push(world.dataset, {"LICENSE": large}, by=world.owner)
    agreement = world.agree()

    push(copy, {"LICENSE": large}, by=world.user)

    assert bound_by(copy) == [agreement]


def test_a_copy_cannot_be_lent_on_as_a_licence(world, copy):
    """Who got it gives it another name, and lends that to a case that knows no source."""
    agreement = world.agree()
    push(copy, {"LICENSE": ROWS}, by=world.user)
    third = a_person()
    case = a_case(lead=third)
    onward = an_agreement(fresh(copy), case)
    again = a_dataset_of(third, case)

    push(again, {"rows.csv": ROWS}, by=third)

    assert set(bound_by(again)) == {agreement, onward}


def test_an_owner_who_takes_part_elsewhere_is_not_bound_by_his_own_data(world):
    a_partner(world.using, organisation=world.owning.organisation)
    world.agree()
    again = a_dataset_of(world.owner, a_case(organisation=world.owning.organisation))

    push(again, {"rows.csv": ROWS}, by=world.owner)

    assert bound_by(again) == []


def test_by_way_of_another_case_of_ones_own_it_is_bound_too(world):
    """What one case may have is not carried into the next by who takes part in both."""
    agreement = world.agree()
    other = a_case(organisation=world.using.organisation)
    copy = a_dataset_of(world.user, other)

    push(copy, {"rows.csv": ROWS}, by=world.user)

    assert bound_by(copy) == [agreement]
    assert running(copy, other).code == "not_yours"
    assert not laid_out(copy, other).allowed


def test_any_number_of_steps(world):
    agreement = world.agree(place="shared")
    first, second, third = (a_dataset_of(world.user, world.using) for _step in range(3))
    push(first, {"a.csv": ROWS}, by=world.user)
    card = f"---\nsource_datasets: {first.code}\n---\n".encode()
    push(second, {"README.md": card, "b.csv": OWN}, by=world.user)
    push(third, {"c.csv": OWN}, by=world.user)

    for dataset in (first, second, third):
        assert bound_by(dataset) == [agreement]
        assert reading(dataset, world.user).code == "stays_here"


def test_lent_on_it_is_no_way_around_either(world, copy):
    world.agree()
    push(copy, {"rows.csv": ROWS}, by=world.user)
    third = a_person()
    case = a_case(lead=third)
    an_agreement(fresh(copy), case)

    assert reading(copy, third).code == "not_yours"
    assert not laid_out(copy, case).allowed
    assert not running(copy, case).allowed


def test_a_partner_who_is_not_named_reads_no_copy_of_it(world, copy):
    named, other = a_person(), a_person()
    firm = an_organisation(lead=named)
    a_partner(world.using, organisation=firm)
    a_partner(world.using, organisation=an_organisation(lead=other))
    world.agree(organisations=[firm])

    push(copy, {"rows.csv": ROWS}, by=named)

    assert reading(copy, named).allowed
    assert reading(copy, other).code == "not_named"


# --- as the source -----------------------------------------------------------------------
def test_it_may_be_used_for_what_the_source_may_and_no_longer(world, copy):
    agreement = world.agree(purposes=["evaluation"], ends_at=timezone.now() + timedelta(days=1))
    push(copy, {"rows.csv": ROWS}, by=world.user)
    late = timezone.now() + timedelta(days=2)

    assert running(copy, world.using).code == "other_purpose"
    assert running(copy, world.using, purpose="evaluation", makes="").allowed
    assert running(copy, world.using, purpose="evaluation", until=late).code == "would_outlast"
    AGREEMENT.take("revoke", agreement, by=None, over_at=timezone.now(), reason="x")
    assert reading(copy, world.user).code == "revoked"
    assert not laid_out(copy, world.using).allowed


def test_a_new_agreement_on_the_source_opens_it_again(world, copy):
    agreement = world.agree()
    push(copy, {"rows.csv": ROWS}, by=world.user)
    AGREEMENT.take("end", agreement, by=None, over_at=timezone.now())
    assert reading(copy, world.user).code == "ended"

    world.agree()

    assert reading(copy, world.user).allowed


def test_a_source_that_was_opened_binds_no_more(world, copy):
    world.agree(place="shared")
    push(copy, {"rows.csv": ROWS}, by=world.user)
    Repository.objects.filter(pk=world.repository.pk).update(is_open=True)

    assert reading(copy, world.user).code == "open"


def test_of_a_source_that_was_opened_and_one_that_is_lent_the_second_decides(world, copy):
    """Else nobody writes down who reads it, nor looks how long a run may take."""
    other = made(by=world.owner, case=world.owning)
    soon = timezone.now() + timedelta(hours=1)
    lent = an_agreement(other.repository, world.using, ends_at=soon)
    both = [world.agree().pk, lent.pk]
    inheritance.pass_on(copy.repository, agreements=both[:1], sources=[])
    inheritance.pass_on(copy.repository, agreements=both[1:], sources=[])
    Repository.objects.filter(pk=world.repository.pk).update(is_open=True)

    assert reading(copy, world.user).agreement == lent
    assert running(copy, world.using).agreement == lent
    too_long = running(copy, world.using, until=soon + timedelta(hours=1))
    assert too_long.code == "would_outlast"


def test_its_people_read_why_on_its_page_and_get_no_name_of_a_file(
    world, copy, browser, program
):
    agreement = world.agree(place="shared")
    push(copy, {"secret-name.csv": ROWS}, by=world.user)

    page = browser(world.user).get(f"/data/{copy.code}/").text

    assert "on the machine of the factory only" in page
    assert "Made of data of others" in page
    assert agreement.code in page
    assert "secret-name" not in page
    for rest in ("files", "revisions", "listing", "bundle"):
        answer = program(world.user).get(f"/api/datasets/{copy.code}/{rest}")
        assert answer.status_code == 403
    for rest in ("look/", "record/", "agreements/"):
        assert "secret-name" not in browser(world.user).get(f"/data/{copy.code}/{rest}").text
    for rest in ("look/", "look/1/files/secret-name.csv", "look/9/files/a.png"):
        assert browser(world.user).get(f"/data/{copy.code}/{rest}").status_code == 403


def test_it_can_never_be_opened_to_everybody(world, copy):
    world.agree()
    push(copy, {"rows.csv": ROWS}, by=world.user)

    with pytest.raises(WrongState):
        opening.open_up(copy, by=world.user, sure=True)


def test_a_run_on_it_is_refused_and_a_model_of_it_inherits(world, copy):
    agreement = world.agree(product="model_api", place="shared")
    push(copy, {"rows.csv": ROWS}, by=world.user)
    run = a_finished_run(case=world.using)
    RunInput.objects.create(
        run=run, name="dataset", revision=copy.repository.revisions.get(number=1)
    )

    model = registry.register(run)

    assert [row.agreement for row in inheritance.terms_of(model.repository)] == [agreement]
    wish = runs.Wish(
        recipe="lab",
        knobs={"idle_minutes": 30},
        timeout_s=600,
        inputs={"dataset": copy.repository.revisions.get(number=1)},
    )
    with pytest.raises(NotAllowed):
        runs.ask(wish, allocation=an_allocation(case=world.using), by=world.user)


def test_the_end_stops_runs_on_copies_and_says_what_stays(world, copy):
    agreement = world.agree(duties=["delete"])
    push(copy, {"rows.csv": ROWS}, by=world.user)
    run = a_finished_run(case=world.using, state="running", asked_by=world.user)
    RunInput.objects.create(
        run=run, name="dataset", revision=copy.repository.revisions.get(number=1)
    )
    Run.objects.filter(pk=run.pk).update(timeout_s=86_400)

    soon = timezone.now() + timedelta(hours=2)
    agreement.__class__.objects.filter(pk=agreement.pk).update(ends_at=soon)
    warnings_of_end.warn_all(timezone.now())
    run.refresh_from_db()
    assert [one["values"]["agreement"] for one in run.warnings] == [agreement.code]

    agreement.refresh_from_db()
    AGREEMENT.take("revoke", agreement, by=None, over_at=timezone.now(), reason="x")
    ended_agreements.tick()
    run.refresh_from_db()
    assert (run.cancel_asked_at is not None, run.stop_reason) == (True, "data_revoked")

    Run.objects.filter(pk=run.pk).update(state="cancelled")
    (run.folder / "inputs/dataset").mkdir(parents=True)
    (run.folder / "inputs/dataset/rows.csv").write_bytes(ROWS)
    ended_agreements.tick()
    agreement.refresh_from_db()
    facts = agreement.statement.facts
    assert not (run.folder / "inputs/dataset").exists()
    assert copy.code in facts["made_of_it"]
    assert "derived" in facts["remains"]
    assert "models" not in facts["remains"]


def test_the_end_names_what_was_made_also_under_an_earlier_text(world, copy, browser):
    """The last agreement kept open what began under the first; a stranger's is a code only."""
    first = world.agree()
    push(copy, {"rows.csv": ROWS}, by=world.user)
    model = a_model(case=world.using)
    theirs = a_dataset_of(world.stranger, a_case(lead=world.stranger))
    repositories = [copy.repository, model.repository, theirs.repository]
    codes = [copy.code, model.code, theirs.code]
    for repository, code in zip(repositories, codes, strict=True):
        Repository.objects.filter(pk=repository.pk).update(code=code)
        inheritance.pass_on(repository, agreements=[first.pk], sources=[])
    second = world.agree()
    AGREEMENT.take("replace", first, by=None, over_at=timezone.now())
    ended_agreements.tick()
    AGREEMENT.take("revoke", second, by=None, over_at=timezone.now(), reason="x")
    ended_agreements.tick()

    told = [Agreement.objects.get(pk=one.pk).statement.facts["made"] for one in (first, second)]

    ends = [{row["code"]: row["done"] for row in rows} for rows in told]
    assert ends[0] == {copy.code: "covered", model.code: "kept", theirs.code: "closed"}
    assert ends[1] == {copy.code: "closed", model.code: "kept"}
    firm = world.using.organisation.name
    at = {"case": world.using.code, "organisation": firm}
    kind = {"code": copy.code, "kind": "dataset", "done": "closed"}
    assert told[1][0] == kind | at | {"files": 1, "size_bytes": len(ROWS)}
    assert told[0][2] == {"code": theirs.code, "kind": "dataset", "done": "closed"}
    page = f"/data/statements/{second.code}/"
    assert copy.title in browser(world.user).get(page).text
    owners = browser(world.owner).get(page).text
    assert copy.code in owners
    assert copy.title not in owners


def test_the_end_tells_of_what_is_open_to_everybody(world, copy):
    """Of data that its owner opened no other agreement is the reason why copies stay."""
    agreement = world.agree()
    push(copy, {"rows.csv": ROWS}, by=world.user)
    model = a_model(case=world.using)
    Repository.objects.filter(pk=model.repository_id).update(code=model.code, is_open=True)
    inheritance.pass_on(model.repository, agreements=[agreement.pk], sources=[])
    Repository.objects.filter(pk=world.repository.pk).update(is_open=True)

    AGREEMENT.take("revoke", agreement, by=None, over_at=timezone.now(), reason="x")
    ended_agreements.tick()

    facts = Agreement.objects.get(pk=agreement.pk).statement.facts
    ends = {row["code"]: row["done"] for row in facts["made"]}
    assert ends == {copy.code: "open", model.code: "open_model"}
    assert "models" in facts["remains"]


# --- what a job sends --------------------------------------------------------------------
def test_the_key_of_a_run_sends_nothing(world, copy, client):
    """So that all a run makes comes in with its own origin."""
    run = a_finished_run(case=world.using, state="running", asked_by=world.user)
    key = {"Authorization": f"Bearer {hub_keys.key_of(run)}"}
    body = b'{"key":"header","value":{"summary":"x"}}\n'

    sent = client.post(
        f"/api/datasets/{copy.repository.repo_id}/commit/main",
        body,
        content_type="application/x-ndjson",
        headers=key,
    )
    told = client.post(f"/api/datasets/{copy.code}/revisions", {}, headers=key, **HTTP)

    assert sent.status_code == 403
    assert told.status_code == 401
    assert not copy.repository.revisions.exists()


def test_a_push_through_the_hub_binds_in_the_same_way(world, copy, program):
    agreement = world.agree()
    line = b'{"key":"header","value":{"summary":"x"}}\n'
    line += b'{"key":"file","value":{"path":"z.txt","encoding":"utf-8","content":"%s"}}\n' % (
        ROWS.replace(b"\n", b"\\n")
    )

    answer = program(world.user).post(
        f"/api/datasets/{copy.repository.repo_id}/commit/main",
        line,
        content_type="application/x-ndjson",
    )

    assert answer.status_code == 200
    assert bound_by(copy) == [agreement]


@pytest.mark.parametrize("by_hub", [False, True])
def test_who_may_not_read_cannot_try_what_is_in_a_file(world, copy, program, by_hub):
    """They may write: that nothing changed would say that they guessed right."""
    named, other = a_person(), a_person()
    firm = an_organisation(lead=named)
    a_partner(world.using, organisation=firm)
    a_partner(world.using, lead=other)
    world.agree(organisations=[firm])
    push(copy, {"rows.csv": ROWS, "secret.txt": b"1234"}, by=named)
    told = []

    for guess in (b"1234", b"9999"):
        sha256 = datasets.add_file(copy, "secret.txt", io.BytesIO(guess), by=other).sha256
        if by_hub:
            line = {"path": "secret.txt", "algo": "sha256", "oid": sha256, "size": 4}
            lines = [
                {"key": "header", "value": {"summary": "x"}},
                {"key": "lfsFile", "value": line},
            ]
            answer = program(other).post(
                f"/api/datasets/{copy.repository.repo_id}/commit/main",
                "\n".join(map(json.dumps, lines)),
                content_type="application/x-ndjson",
            )
            told.append(answer.status_code)
        else:
            wish = json.dumps({"files": [{"path": "secret.txt", "sha256": sha256}]})
            at = f"/api/datasets/{copy.code}/revisions"
            answer = program(other).post(at, wish, **HTTP)
            shown = answer.json()
            told.append([shown[n] for n in ("digest", "file_count", "size_bytes", "is_new")])

    assert told == [200 if by_hub else ["", 1, 4, True]] * 2
    assert copy.repository.revisions.count() == 3


def test_twice_is_once(world, copy):
    world.agree()
    push(copy, {"rows.csv": ROWS}, by=world.user)
    push(copy, {"rows.csv": ROWS, "more.csv": ROWS + b"x\n"}, by=world.user)

    assert Inherited.objects.filter(repository=copy.repository).count() == 1
    assert not Inherited.objects.filter(repository=copy.repository, needs_review=True).exists()


# --- carried into another case -------------------------------------------------------------
@pytest.fixture
def carried(world):
    """Let who takes part in two cases bring lent data into a model of the other one."""
    agreement = world.agree(place="shared", product="model_api", duties=["review"])
    lead = a_person()
    elsewhere = a_case(lead=lead)
    a_partner(elsewhere, organisation=world.using.organisation)
    model = a_model(case=elsewhere)
    sent = world.repository.revisions.get(number=1).files.get(path="rows.csv").blob.sha256
    descent.pass_terms_on(model.revision, {"rows.csv": sent}, by=world.user)
    return lead, model, agreement


@pytest.mark.parametrize("product", ["model_api", "model_weights"])
@pytest.mark.parametrize("verdict", ["", "held_back", "released"])
def test_an_agreement_of_another_case_has_no_name_for_who_is_no_party(
    world, carried, program, product, verdict
):
    lead, model, agreement = carried
    rows = Inherited.objects.filter(repository=model.repository_id)
    judge = {"judged_by": world.owner, "judged_at": timezone.now()} if verdict else {}
    rows.update(verdict=verdict, note="not for clinic Noord", judged_revision=9, **judge)
    Agreement.objects.filter(pk=agreement.pk).update(product=product)

    theirs, parties = reading(model, lead), reading(model, world.user)
    seen = program(lead).get(f"/api/models/{model.code}/files").content.decode()
    told = f"{theirs.sentence} {dict(theirs.facts)} {seen}"

    assert theirs.allowed == parties.allowed
    assert "an agreement of another case" in str(theirs.sentence)
    assert agreement.code in str(parties.sentence)
    for word in (agreement.code, "clinic", "%(", str(agreement.ends_at.year)):
        assert word not in told
