"""The log of decisions: what is written, who reads it, and that nobody can change it unseen."""

from datetime import timedelta
from io import StringIO

import pytest
import time_machine
from django.core.cache.backends.locmem import LocMemCache
from django.core.management import call_command
from django.db import connection
from django.utils import timezone

from fabriek.agreements import decision_heads, decision_log, policy
from fabriek.agreements.models import Chain, Decided
from fabriek.agreements.states import AGREEMENT
from fabriek.kernel.models import Entry
from fabriek.serve import loop
from tests.agreements.policy_world import HOUR, a_policy_world, an_agreement
from tests.factories import a_case, a_person
from tests.threads import at_once, many_connections  # noqa: F401


@pytest.fixture
def world(db):
    return a_policy_world(listed_for="members")


def codes(world):
    rows = Decided.objects.filter(repository=world.repository).order_by("number")
    return [row.code for row in rows]


def test_a_yes_and_a_no_are_both_written_down_with_their_reason(world):
    agreement = world.agree(place="shared")

    policy.decide(world.read())
    policy.decide(world.lay_out(revision=3, run="R26-0001", on_behalf_of=world.user))

    denied, allowed = Decided.objects.order_by("number")
    assert (denied.allowed, denied.code, denied.person) == (False, "stays_here", world.user)
    assert (allowed.allowed, allowed.code, allowed.person) == (True, "agreed", world.user)
    assert (allowed.agreement, allowed.text_sha256) == (agreement, "a" * 64)
    assert (allowed.case, allowed.revision, allowed.run) == (world.using, 3, "R26-0001")
    assert allowed.before == denied.digest
    assert Chain.objects.get(repository=world.repository).digest == allowed.digest


def test_a_refusal_is_written_down_before_it_is_raised(world):
    with pytest.raises(policy.NotAllowed):
        policy.require(world.read())

    assert codes(world) == ["not_agreed"]


def test_to_see_what_is_ones_own_is_not_written_down(world):
    policy.decide(world.see(world.owner))

    assert codes(world) == []


def test_to_see_what_is_of_others_is(world):
    policy.decide(world.see())

    assert codes(world) == ["listed"]


def test_many_files_within_the_hour_are_one_line(world):
    world.agree()

    for _ in range(50):
        policy.decide(world.read(revision=1))

    assert codes(world) == ["agreed"]


def test_a_line_stands_for_an_hour(world):
    world.agree()

    for minutes in (0, 59, 61):
        with time_machine.travel(timezone.now() + timedelta(minutes=minutes)):
            policy.decide(world.read())

    assert codes(world) == ["agreed", "agreed"]


def test_another_answer_is_another_line_at_once(world):
    agreement = world.agree()
    policy.decide(world.read())

    AGREEMENT.take("revoke", agreement, by=None, over_at=timezone.now(), reason="x")
    policy.decide(world.read())
    an_agreement(world.repository, world.using)
    policy.decide(world.read())

    assert codes(world) == ["agreed", "revoked", "agreed"]


def test_another_revision_person_or_run_is_another_line(world):
    world.agree()

    policy.decide(world.read(revision=1))
    policy.decide(world.read(revision=2))
    policy.decide(world.read(world.stranger))
    policy.decide(world.lay_out(run="R26-0001"))
    policy.decide(world.lay_out(run="R26-0002"))

    assert len(codes(world)) == 5


# --- the chain ----------------------------------------------------------------------------
@pytest.fixture
def chained(world):
    world.agree()
    for revision in range(1, 6):
        policy.decide(world.read(revision=revision))
    assert list(decision_log.broken()) == []
    return Decided.objects.filter(repository=world.repository)


def test_a_line_that_was_changed_is_found(chained):
    chained.filter(number=3).update(allowed=False)

    assert ["3" in said and "changed" in said for said in decision_log.broken()] == [True]


def test_a_line_that_was_changed_with_its_digest_is_found(chained):
    row = chained.get(number=3)
    row.code = "own"
    chained.filter(number=3).update(code="own", digest=decision_log.digest_of(row))

    assert any("decision 4" in said for said in decision_log.broken())


def test_a_line_that_was_left_out_is_found(chained):
    chained.filter(number=3).delete()

    assert any("decision 3" in said and "missing" in said for said in decision_log.broken())


def test_the_last_lines_that_were_left_out_are_found(chained):
    chained.filter(number__gte=4).delete()

    assert [said for said in decision_log.broken() if "last decisions" in said]


def test_all_lines_that_were_left_out_are_found(chained):
    chained.all().delete()

    assert [said for said in decision_log.broken() if "last decisions" in said]


def test_what_broke_one_chain_leaves_the_others_whole(chained):
    other = a_policy_world()
    policy.decide(other.read())
    chained.filter(number=2).update(code="own")

    assert all(f"repository {other.repository.pk}" not in x for x in decision_log.broken())


def test_the_command_proves_it(chained):
    said = StringIO()

    call_command("decisions", check=True, stdout=said)

    assert said.getvalue().startswith("All 5 decisions fit together")


def test_the_command_fails_when_something_was_changed(chained):
    chained.filter(number=2).update(code="own")

    with pytest.raises(SystemExit):
        call_command("decisions", check=True, stdout=StringIO(), stderr=StringIO())


@pytest.mark.django_db(transaction=True)
def test_two_at_once_do_not_fork_the_chain(many_connections):  # noqa: F811
    world = a_policy_world()
    world.agree()

    def many(first):
        def decide():
            for revision in range(first, first + 10):
                policy.decide(world.read(revision=revision))

        return decide

    at_once(many(0), many(100), many(200))

    numbers = Decided.objects.order_by("number").values_list("number", flat=True)
    assert list(numbers) == list(range(1, 31))
    assert list(decision_log.broken()) == []


@pytest.mark.django_db(transaction=True)
def test_the_same_question_by_two_at_once_is_one_line(many_connections):  # noqa: F811
    world = a_policy_world()
    world.agree()

    at_once(lambda: policy.decide(world.read()), lambda: policy.decide(world.read()))

    assert Decided.objects.count() == 1


@pytest.mark.django_db(transaction=True)
def test_a_line_costs_two_questions_where_one_statement_can_do_two_things(
    django_assert_num_queries,
):
    world = a_policy_world()
    world.agree()
    first, second = world.read(revision=1), world.read(revision=2)
    decision = policy.would(first)

    # SQLite: where the chain ends, and a transaction of two statements; the first is noted too.
    for wish, on_sqlite in ((first, 8), (second, 5)):
        with django_assert_num_queries(
            {"postgresql": 2, "sqlite": on_sqlite}[connection.vendor]
        ):
            decision_log.write(wish, decision)

    assert list(decision_log.broken()) == []
    assert len(decision_heads.noted_heads()) == 1


def meanwhile(monkeypatch, wish):
    """Let another decide between our look at the end of the chain and our line."""
    look = decision_log._end  # noqa: SLF001

    def slow(line):
        found = look(line)
        monkeypatch.setattr(decision_log, "_end", look)
        policy.decide(wish)
        return found

    monkeypatch.setattr(decision_log, "_end", slow)


@pytest.mark.parametrize("lines_before", [0, 1])
def test_a_line_that_came_between_stays_where_it_is(world, monkeypatch, lines_before):
    world.agree()
    for number in range(lines_before):
        policy.decide(world.read(revision=10 + number))
    meanwhile(monkeypatch, world.read(revision=1))

    policy.decide(world.read(revision=2))

    lines = Decided.objects.order_by("number")
    assert [row.revision for row in lines][lines_before:] == [1, 2]
    assert [row.number for row in lines] == list(range(1, lines_before + 3))
    assert [row.at for row in lines] == sorted(row.at for row in lines)
    assert list(decision_log.broken()) == []


def test_the_same_answer_that_came_between_is_not_said_twice(world, monkeypatch):
    world.agree()
    meanwhile(monkeypatch, world.read(revision=1))

    policy.decide(world.read(revision=1))

    assert codes(world) == ["agreed"]


def test_an_answer_that_turns_and_turns_back_is_three_lines(world):
    agreement = world.agree()

    for place in ("open", "shared", "open"):
        type(agreement).objects.update(place=place)
        policy.decide(world.read())

    assert codes(world) == ["agreed", "stays_here", "agreed"]


def test_also_when_another_process_gave_the_answer_between(world, monkeypatch):
    agreement = world.agree()
    with time_machine.travel(timezone.now(), tick=False) as clock:
        policy.decide(world.read())
        with monkeypatch.context() as elsewhere:
            elsewhere.setattr(decision_log, "cache", LocMemCache("another process", {}))
            type(agreement).objects.update(place="shared")
            policy.decide(world.read())
        type(agreement).objects.update(place="open")
        clock.shift(timedelta(minutes=1, seconds=1))

        policy.decide(world.read())

    assert codes(world) == ["agreed", "stays_here", "agreed"]


def rewritten(chained, digest):
    """Write the whole chain anew, as whoever rules the database could."""
    before = ""
    for row in chained.order_by("number"):
        row.code, row.before = "own", before
        row.digest = before = digest(row)
        row.save()
    Chain.objects.update(digest=before)


def test_a_chain_that_was_written_anew_without_our_key_is_found(chained, settings):
    ours = settings.SECRET_KEY
    settings.SECRET_KEY = "a key that somebody guessed, of some length"
    rewritten(chained, decision_log.digest_of)
    settings.SECRET_KEY = ours

    assert [said for said in decision_log.broken() if "decision 1 " in said]


def test_a_chain_that_was_written_anew_with_our_key_is_not_what_the_journal_noted(chained):
    decision_heads.note()

    rewritten(chained, decision_log.digest_of)

    assert ["noted" in said for said in decision_log.broken()] == [True, True]


def test_a_chain_that_was_deleted_whole_is_missed(chained, world):
    assert decision_heads.note() == 1
    assert decision_heads.note() == 0
    assert list(decision_log.broken()) == []

    chained.delete()
    Chain.objects.all().delete()
    missing = list(decision_log.broken())
    assert ["missing" in said for said in missing] == [True, True]
    assert "decision 5" in missing[1]

    policy.decide(world.read(revision=9))
    assert len(list(decision_log.broken())) == 2


def test_one_that_was_deleted_on_the_day_it_began_is_missed_too(chained):
    chained.delete()
    Chain.objects.all().delete()

    assert ["decision 1 " in said for said in decision_log.broken()] == [True]


def test_the_loop_notes_how_far_the_chains_came(chained):
    loop.sweep()

    notes = Entry.objects.filter(verb=decision_heads.VERB).order_by("pk")
    assert [note.details["length"] for note in notes] == [1, 5]


# --- who reads it -------------------------------------------------------------------------
@pytest.fixture
def used(world):
    world.agree(place="shared")
    policy.decide(world.read())
    policy.decide(world.run(run="R26-0007"))
    policy.decide(world.read(world.stranger))
    return world


def test_the_owner_sees_everybodys_use_on_the_page(used, browser):
    page = browser(used.owner).get(f"/data/{used.dataset.code}/agreements/decisions/").text

    assert str(used.user) in page
    assert str(used.stranger) in page
    assert "R26-0007" in page
    assert "on the machine of the factory only" in page


def test_only_what_was_refused(used, browser):
    page = (
        browser(used.owner)
        .get(f"/data/{used.dataset.code}/agreements/decisions/?refused=1")
        .text
    )

    assert "R26-0007" not in page
    assert str(used.stranger) in page


def test_users_see_their_own_and_no_more(used, browser, program):
    page = browser(used.user).get(f"/data/{used.dataset.code}/agreements/decisions/").text
    mine = browser(used.user).get("/data/decisions/").text
    lines = program(used.stranger).get("/api/data-use/decisions").json()

    assert "R26-0007" in page
    assert "R26-0007" in mine
    assert str(used.stranger) not in page + mine
    assert [(line["code"], line["person"]) for line in lines["items"]] == [
        ("not_agreed", str(used.stranger))
    ]


def test_the_api_tells_the_owner_all(used, program):
    lines = program(used.owner).get(f"/api/data-use/decisions?dataset={used.dataset.code}")

    items = lines.json()["items"]
    assert [(one["moment"], one["allowed"], one["code"]) for one in items] == [
        ("read", False, "not_agreed"),
        ("run", True, "agreed"),
        ("read", False, "stays_here"),
    ]
    assert [one["number"] for one in items] == [3, 2, 1]


def test_of_data_that_is_not_theirs_to_see_nobody_reads_a_line(browser, program, db):
    world = a_policy_world()
    world.agree()
    policy.decide(world.read())

    for code in (world.dataset.code, "D99-9999"):
        assert (
            browser(world.stranger).get(f"/data/{code}/agreements/decisions/").status_code
            == 404
        )
        answer = program(world.stranger).get(f"/api/data-use/decisions?dataset={code}")
        assert answer.status_code == 404


@pytest.mark.parametrize("count", [1, 3])
def test_the_page_costs_the_same_for_1_and_3(world, browser, django_assert_num_queries, count):
    for number in range(count):
        person = a_person()
        an_agreement(world.repository, a_case(lead=person))
        policy.decide(world.read(person, revision=number))
    client = browser(world.owner)

    # Session, person, roles; the dataset, whether it is bound, and the lines with their number.
    with django_assert_num_queries(7):
        client.get(f"/data/{world.dataset.code}/agreements/decisions/")


def test_an_hour_is_an_hour():
    assert decision_log.STANDS == HOUR
