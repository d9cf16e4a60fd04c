"""What was given out by a token ends with it: links to upload by, and keys for Xet."""

import hashlib
from datetime import timedelta

import pytest
from django.core import signing
from django.utils import timezone

from fabriek.hub import links, parts
from fabriek.people.models import Membership, Scope, Token
from fabriek.store.models import Blob, Revision
from tests.factories import a_token
from tests.hub.calls import NDJSON, header, lines, small
from tests.hub.test_run_keys import by, info, questions, run, world  # noqa: F401
from tests.hub.xet_making import File, Program
from tests.hub.xet_making import Xorb as Made

pytestmark = pytest.mark.django_db
OCTETS = "application/octet-stream"

ENDED = [
    lambda tokens: tokens.delete(),
    lambda tokens: tokens.update(revoked_at=timezone.now()),
    lambda tokens: tokens.update(expires_at=timezone.now() - timedelta(seconds=1)),
    lambda tokens: tokens.update(scope=Scope.READ),
]


@pytest.mark.parametrize("end", ENDED)
def test_a_link_ends_with_the_token_that_asked_for_it(hub, lead, end):
    put, _verify = hub.links(b"abc")
    end(Token.objects.all())
    a_token(lead)  # they have another one, which did not ask

    answer = hub.client.put(put, b"abc", content_type=OCTETS)

    assert (answer.status_code, Blob.objects.count()) == (403, 0)


@pytest.mark.parametrize("end", ENDED)
def test_a_link_for_parts_ends_so_too(hub, monkeypatch, end):
    monkeypatch.setattr(parts, "WORTH_PARTS_BYTES", 1)
    asked = hub.batch(b"abc", transfers=("multipart",)).json()["objects"][0]["actions"]
    end(Token.objects.all())

    part = hub.client.put(asked["upload"]["header"]["00001"], b"abc", content_type=OCTETS)
    whole = hub.client.post(asked["upload"]["href"], "{}", content_type="application/json")

    assert (part.status_code, whole.status_code) == (403, 403)


@pytest.mark.parametrize("end", ENDED)
def test_a_key_for_xet_ends_with_its_token(hub, lead, end):
    key = a_token(lead)
    session = Program(key).begin(hub)
    made = Made(b"one")
    assert session.send(made).status_code == 200
    end(Token.objects.filter(digest=hashlib.sha256(key.encode()).hexdigest()))

    answers = [session.send(Made(b"two")), session.list(File(made.all()))]

    assert [a.status_code for a in answers] == [401, 401]
    assert not Blob.objects.exists()


@pytest.mark.parametrize("end", [*ENDED, lambda _tokens: Membership.objects.all().delete()])
def test_a_commit_that_is_held_open_ends_so_too(hub, end):
    """Who is about to go could begin one, and say the rest of it later."""

    class Slow:
        def __init__(self):
            self.pieces = [lines(header()).encode() + b"\n", lines(small("a", b"1")).encode()]

        def read(self, _size):
            if len(self.pieces) == 1:
                end(Token.objects.all())
            return self.pieces.pop(0) if self.pieces else b""

        readline = read

    answer = hub.client.generic("POST", f"{hub.api}/commit/main", b"", **{
        "wsgi.input": Slow(), "CONTENT_LENGTH": "", "HTTP_TRANSFER_ENCODING": "chunked",
        "CONTENT_TYPE": NDJSON,
    })  # fmt: skip

    assert answer.status_code in {401, 403}
    assert not Revision.objects.exists()


def test_a_link_of_another_shape_is_over(hub, lead):
    old = signing.dumps([1, lead.pk, "a" * 64, 3, ""], salt=links.SALT)

    answer = hub.client.put(f"/hub/lfs/{old}", b"abc", content_type=OCTETS)

    assert answer.status_code == 403


# --- the key of a run --------------------------------------------------------------------
def test_a_run_reads_no_more_for_who_was_suspended(run, questions):  # noqa: F811
    there = info(by(run), questions).status_code
    run.asked_by.is_active = False
    run.asked_by.save()

    assert (there, info(by(run), questions).status_code) == (200, 401)


def test_a_run_reads_no_more_for_who_left_the_consortium(run, questions):  # noqa: F811
    there = info(by(run), questions).status_code
    Membership.objects.filter(person=run.asked_by).delete()

    assert (there, info(by(run), questions).status_code) == (200, 401)
