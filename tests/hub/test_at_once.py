"""Two people at once, bodies whose length nobody announced, and connections that stay open."""

import io
import json

import pytest
from django.test import Client

from fabriek.agreements import policy
from fabriek.agreements.policy import Moment
from fabriek.hub import actions, commits, ref_actions, refusals
from fabriek.hub.commit_lines import Large, Small
from fabriek.store import queries as store
from fabriek.store import retention
from fabriek.store.actions import store_bytes
from fabriek.store.models import Blob, Ref, Repository, Revision
from fabriek.store.retention import Wish
from tests.factories import a_case, a_person, a_token
from tests.hub.calls import NDJSON, Hub, header, large, lines, sha256, small
from tests.threads import at_once, many_connections  # noqa: F401  a fixture

CONTENT = b"\0" * 300_000


def posted(client, path, text, method="POST", content_type=NDJSON):
    """Send a body in chunks: without a length, as the web server hands it on."""
    return client.generic(
        method,
        path,
        content_type=content_type,
        CONTENT_LENGTH="",
        HTTP_TRANSFER_ENCODING="chunked",
        **{"wsgi.input": io.BytesIO(text)},
    )


@pytest.mark.django_db
def test_a_commit_without_a_length_is_read(hub):
    text = lines(header(), small("a.txt", b"1")).encode()

    assert posted(hub.client, f"{hub.api}/commit/main", text).status_code == 200
    assert Revision.objects.get().file_count == 1


@pytest.mark.django_db
def test_a_large_file_without_a_length_is_held_to_what_was_announced(hub):
    link = hub.links(CONTENT)[0]

    assert posted(Client(), link, CONTENT[:-1], method="PUT").status_code == 422
    assert posted(Client(), link, CONTENT + b"x", method="PUT").status_code == 422
    assert Blob.objects.count() == 0
    assert posted(Client(), link, CONTENT, method="PUT").status_code == 200


@pytest.mark.django_db
def test_a_question_without_a_length_is_read(hub):
    wish = json.dumps({"tag": "v1"}).encode()
    hub.push({"a.txt": b"1"})

    assert posted(hub.client, f"{hub.api}/tag/main", wish).status_code == 200


@pytest.fixture
def shared(many_connections):  # noqa: F811
    """Give two programs of one person on the same dataset."""
    lead = a_person()
    case = a_case(lead=lead)
    clients = [Client(headers={"Authorization": f"Bearer {a_token(lead)}"}) for _ in range(2)]
    asked = json.dumps({"name": "questions", "type": "dataset"})
    clients[0].post("/api/repos/create", asked, content_type="application/json")
    return [Hub(client, f"{case.code}/questions") for client in clients]


@pytest.mark.django_db(transaction=True)
def test_of_two_commits_on_the_same_parent_one_is_refused(shared):
    parent = shared[0].push({"a.txt": b"0"})

    said = at_once(
        *(
            lambda hub=hub, n=n: (
                hub.commit(
                    header(parent=parent), small("a.txt", b"%d" % n), headed=False
                ).status_code
            )
            for n, hub in enumerate(shared, start=1)
        )
    )

    assert sorted(said) == [200, 412]
    assert Revision.objects.count() == 2


@pytest.mark.django_db(transaction=True)
def test_two_commits_without_a_parent_are_both_kept(shared):
    said = at_once(
        *(
            lambda hub=hub, n=n: hub.commit(small(f"{n}.txt", b"same")).status_code
            for n, hub in enumerate(shared)
        )
    )

    assert said == [200, 200]
    assert list(Revision.objects.first().files.values_list("path", flat=True)) == [
        "0.txt",
        "1.txt",
    ]


@pytest.mark.django_db(transaction=True)
def test_the_same_large_file_from_two_at_once_is_kept_once(shared):
    links = [hub.links(CONTENT)[0] for hub in shared]

    said = at_once(
        *(
            lambda link=link: (
                Client().put(link, CONTENT, content_type="application/octet-stream").status_code
            )
            for link in links
        )
    )

    assert said == [200, 200]
    assert Blob.objects.filter(sha256=sha256(CONTENT)).count() == 1
    assert shared[0].commit(large("a.bin", CONTENT)).status_code == 200


@pytest.mark.django_db(transaction=True)
def test_of_two_who_make_the_same_name_one_finds_it(shared):
    asked = json.dumps({"name": "answers", "type": "dataset"})

    said = at_once(
        *(
            lambda hub=hub: (
                hub.client.post(
                    "/api/repos/create", asked, content_type="application/json"
                ).status_code
            )
            for hub in shared
        )
    )

    assert sorted(said) == [200, 409]
    assert Repository.objects.filter(name="answers").count() == 1


@pytest.mark.django_db
@pytest.mark.parametrize("kind", ["tag", "branch"])
def test_what_is_dropped_after_it_was_looked_up_is_given_no_name(hub, kind, monkeypatch):
    one = hub.push({"a.txt": b"1"})
    hub.push({"a.txt": b"2"})
    is_new = ref_actions._require_new  # noqa: SLF001  the last thing before it is named

    def dropped_just_before(*looked_up):
        retention.drop(Repository.objects.get(), Wish(numbers=[1]), by=None)
        is_new(*looked_up)

    monkeypatch.setattr(ref_actions, "_require_new", dropped_just_before)
    asked = {
        "tag": (f"tag/{one}", {"tag": "v1"}),
        "branch": ("branch/old", {"startingPoint": one}),
    }
    path, wish = asked[kind]

    answer = posted(hub.client, f"{hub.api}/{path}", json.dumps(wish).encode())

    assert answer.status_code in range(400, 500)
    assert Ref.objects.count() == 0


@pytest.mark.django_db
def test_a_branch_removed_while_files_come_in_gets_none_of_them(hub, lead):
    """Else a later branch of that name would begin with them."""
    begun = hub.push({"a.txt": b"1"})
    repository = Repository.objects.get()
    ref_actions.create_branch(repository, "try", start="main", by=lead)

    def coming_in():
        yield Small(path="b.txt", content=b"2")
        ref_actions.delete_branch(repository, "try", by=lead)

    with pytest.raises(refusals.RevisionNotFound):
        commits.commit(repository, "try", coming_in(), by=lead)

    ref_actions.create_branch(repository, "try", start="main", by=lead)
    assert store.latest(repository, branch="try").commit_id == begun


@pytest.mark.django_db
@pytest.mark.parametrize("is_read", [False, True])
def test_a_repository_removed_while_files_come_in_gets_none_of_them(hub, lead, is_read):
    """Of one that somebody read its row stays, without a name, and nobody would find them."""
    repository = Repository.objects.select_related("case").get()
    if is_read:
        policy.decide(policy.Wish(moment=Moment.READ, repository=repository, person=lead))

    sent = store_bytes(repository, io.BytesIO(b"2"), by=lead)

    def coming_in():
        yield Large(path="b.txt", sha256=sent.sha256)
        actions.delete(Repository.objects.get(), by=lead)

    with pytest.raises(refusals.RepoNotFound):
        commits.commit(repository, "main", coming_in(), by=lead)

    assert Repository.objects.exists() == is_read
    assert Revision.objects.count() == 0
