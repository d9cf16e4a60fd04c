"""Words that are none, and questions whose answers grow: refused, and never a fault."""

import json
import tracemalloc
from urllib.parse import quote

import pytest

from fabriek.hub import answers, parts
from fabriek.serve import supervisor
from fabriek.store.models import Repository
from tests.hub.calls import small

pytestmark = pytest.mark.django_db
JSON = "application/json"


def asked(hub, method, path, text):
    return getattr(hub.client, method)(path, text, content_type=JSON)


@pytest.mark.parametrize("transfers", ["5", "true", '{"multipart": 1}', '"multipart"', "[[]]"])
def test_ways_to_send_that_are_none_are_passed_over(hub, transfers):
    text = f'{{"operation": "upload", "objects": [], "transfers": {transfers}}}'

    answer = asked(hub, "post", f"{hub.files}.git/info/lfs/objects/batch", text)

    assert (answer.status_code, answer.json()["transfer"]) == (200, "basic")


@pytest.mark.parametrize("size", [[], {}, "3", 4])
def test_a_size_that_is_none_is_not_that_of_the_file(hub, size):
    put, verify = hub.links(b"abc")
    hub.client.put(put, b"abc", content_type="application/octet-stream")

    assert asked(hub, "post", verify, json.dumps({"size": size})).status_code == 422
    assert asked(hub, "post", verify, json.dumps({"size": 3})).status_code == 200


@pytest.mark.parametrize("kind", [["dataset"], {"dataset": 1}, 5])
def test_a_kind_that_is_none_is_not_made(hub, kind):
    answer = asked(hub, "post", "/api/repos/create", json.dumps({"type": kind, "name": "a"}))

    assert answer.status_code == 501


@pytest.mark.parametrize("word", ["\\ud800", "\\u0000"])
def test_half_a_sign_and_none_are_in_no_name(hub, case, word):
    before = Repository.objects.count()
    name = f'{{"type": "dataset", "organization": "{word}", "name": "x"}}'
    move = f'{{"type": "dataset", "fromRepo": "{word}/x", "toRepo": "{hub.repo_id}"}}'
    to = f'{{"type": "dataset", "fromRepo": "{hub.repo_id}", "toRepo": "{case.code}/{word}"}}'
    file = f'{{"files": [{{"path": "{word}", "size": 1}}]}}'

    assert asked(hub, "delete", "/api/repos/delete", name).status_code == 404
    assert asked(hub, "post", "/api/repos/create", name).status_code == 403
    assert asked(hub, "post", "/api/repos/move", move).status_code == 404
    assert asked(hub, "post", "/api/repos/move", to).status_code == 422
    assert asked(hub, "post", f"{hub.api}/preupload/main", file).status_code == 400
    assert Repository.objects.count() == before


def test_what_stands_in_a_header_can_be_seen(hub):
    answer = hub.client.get(f"{hub.files}/resolve/main/%01%7f%C2%85a")

    assert answer.status_code == 404
    assert answer["X-Error-Message"].isprintable()
    assert answers.in_header("a\x01\x7f\x9fb\u20acc") == "a???b?c"


# --- what grows --------------------------------------------------------------------------
def test_the_links_of_one_answer_are_bounded_whatever_the_sizes(hub, settings):
    settings.UPLOAD_LIMIT_BYTES = 200 * 2**30
    sizes = [100 * 2**30] * 150 + [6 * 2**30] * 50
    objects = [{"oid": f"{number:064x}", "size": size} for number, size in enumerate(sizes)]

    tracemalloc.start()
    try:
        answer = hub.batch_of(objects, transfers=("basic", "multipart"))
        _now, most_bytes = tracemalloc.get_traced_memory()
    finally:
        tracemalloc.stop()

    uploads = [one["actions"]["upload"] for one in answer.json()["objects"]]
    counts = [sum(name.isdigit() for name in one["header"]) for one in uploads]
    assert sum(counts) <= parts.LINKS_MAX
    assert all(
        count * int(one["header"]["chunk_size"]) >= size
        for count, one, size in zip(counts, uploads, sizes, strict=True)
    )
    assert len(answer.content) < 2 * 2**20
    assert most_bytes < 16 * 2**20


def test_a_single_large_file_keeps_its_small_parts(hub):
    answer = hub.batch_of([{"oid": "a" * 64, "size": 60 * 2**30}], transfers=("multipart",))

    header = answer.json()["objects"][0]["actions"]["upload"]["header"]
    assert header["chunk_size"] == str(parts.PART_BYTES)


@pytest.mark.parametrize("sign", ["[],", "{},", "0,"])
def test_a_question_that_grows_in_memory_is_not_read(hub, sign):
    text = '{"files": [' + sign * 1_000_000 + "0]}"

    tracemalloc.start()
    try:
        answer = asked(hub, "post", f"{hub.api}/preupload/main", text)
        _now, most_bytes = tracemalloc.get_traced_memory()
    finally:
        tracemalloc.stop()

    assert answer.status_code == 400
    assert most_bytes < 24 * 2**20


# --- addresses ---------------------------------------------------------------------------
def test_every_name_that_is_taken_fits_in_an_address(hub):
    command = supervisor.web_command("127.0.0.1", 8000, 4)
    most = int(command[command.index("--limit-request-line") + 1])
    path = ("日" * 80 + "/") * 9 + "日" * 80  # 2,409 bytes

    longest = next(
        path[:size] for size in range(len(path), 0, -1)
        if hub.commit(small(path[:size], b"1")).status_code == 200
    )  # fmt: skip

    assert len(longest.encode()) == 2400
    address = f"{hub.files}/resolve/{'a' * 199}/{quote(longest)}"
    assert len(f"GET {address} HTTP/1.1\r\n") < most
    assert hub.commit(small("日" * 80 + "/" + "日" * 80 + "/x", b"1")).status_code == 200
