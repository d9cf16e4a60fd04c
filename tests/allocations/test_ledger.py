"""The ledger by hand: one rule per test."""

from datetime import UTC, date, datetime

import pytest

from fabriek.allocations import ledger
from fabriek.allocations.ledger import Balance, BeyondBill, Line, LineKind, Short, Term, Use

TERM = Term(starts_on=date(2026, 3, 1), ends_on=date(2026, 5, 31))
DURING = datetime(2026, 4, 1, 12, tzinfo=UTC)
AFTER = datetime(2026, 6, 1, 12, tzinfo=UTC)


def granted(**shares: int) -> tuple[Line, ...]:
    lines: tuple[Line, ...] = ()
    for share, gpu_seconds in shares.items():
        lines += ledger.grant(
            lines, key="award", share=share, gpu_seconds=gpu_seconds, at=DURING
        )
    return lines


def held(lines: tuple[Line, ...], **runs: int) -> tuple[Line, ...]:
    for run_key, gpu_seconds in runs.items():
        lines += ledger.hold(
            lines, run_key=run_key, gpu_seconds=gpu_seconds, term=TERM, at=DURING
        )
    return lines


def settled(lines: tuple[Line, ...], at: datetime = DURING, **runs: int) -> tuple[Line, ...]:
    for run_key, used in runs.items():
        lines += ledger.settle(lines, run_key=run_key, gpu_seconds_used=used, at=at)
    return lines


def corrected(lines: tuple[Line, ...], run_key: str, gpu_seconds: int, key: str = "night1"):
    return lines + ledger.counter(
        lines, key=key, corrects=run_key, gpu_seconds=gpu_seconds, at=DURING, note="sacct"
    )


def test_a_hold_takes_from_the_share_granted_first():
    lines = held(granted(nl=100, eu=50), a=120)

    assert ledger.balance_by_share(lines) == {
        "nl": Balance(granted=100, held=100),
        "eu": Balance(granted=50, held=20),
    }
    assert ledger.balance(lines).left == 30
    assert ledger.open_holds(lines) == {"a": 120}


def test_a_hold_larger_than_what_is_left_is_refused_and_says_what_is_missing():
    lines = held(granted(nl=100), a=60)

    with pytest.raises(Short) as refusal:
        held(lines, b=41)

    assert refusal.value.missing == 1


@pytest.mark.parametrize(
    ("at", "is_open"),
    [
        # Amsterdam is an hour ahead of UTC in winter and two in summer.
        (datetime(2026, 2, 28, 22, 59, 59, tzinfo=UTC), False),
        (datetime(2026, 2, 28, 23, 0, tzinfo=UTC), True),
        (datetime(2026, 5, 31, 21, 59, 59, tzinfo=UTC), True),
        (datetime(2026, 5, 31, 22, 0, tzinfo=UTC), False),
    ],
)
def test_a_term_runs_from_its_first_to_its_last_day_in_amsterdam(at: datetime, is_open: bool):
    lines = granted(nl=100)

    if is_open:
        assert len(ledger.hold(lines, run_key="a", gpu_seconds=1, term=TERM, at=at)) == 1
    else:
        with pytest.raises(ledger.OutsideTerm):
            ledger.hold(lines, run_key="a", gpu_seconds=1, term=TERM, at=at)


def test_settling_spends_what_was_used_and_gives_back_the_rest():
    lines = settled(held(granted(nl=100, eu=50), a=120), a=110)

    assert ledger.balance_by_share(lines) == {
        "nl": Balance(granted=100, spent=100),
        "eu": Balance(granted=50, spent=10),
    }
    assert ledger.bill(lines, "a") == 110


def test_a_run_that_used_nothing_leaves_no_spending():
    lines = settled(held(granted(nl=100), a=60), a=0)

    assert ledger.balance(lines) == Balance(granted=100)
    assert [line.kind for line in lines] == [LineKind.GRANT, LineKind.HOLD, LineKind.RELEASE]


def test_use_beyond_the_hold_is_taken_from_what_is_left():
    lines = settled(held(granted(nl=100, eu=50), a=60), a=130)

    assert ledger.balance_by_share(lines) == {
        "nl": Balance(granted=100, spent=100),
        "eu": Balance(granted=50, spent=30),
    }
    assert ledger.overrun(lines) == 0


def test_what_nobody_can_pay_is_borne_by_the_factory_and_still_on_the_bill():
    lines = settled(held(granted(nl=100), a=60), a=130)

    assert ledger.balance(lines) == Balance(granted=100, spent=100)
    assert ledger.overrun(lines) == 30
    assert ledger.bill(lines, "a") == 130
    assert lines[-1].share == ledger.FACTORY


def test_an_overrun_never_takes_what_another_run_holds():
    lines = settled(held(granted(nl=100), a=50, b=50), a=80)

    assert ledger.balance(lines) == Balance(granted=100, held=50, spent=50)
    assert ledger.overrun(lines) == 30


def test_a_run_that_frees_time_first_pays_the_overrun_that_its_hold_caused():
    before = held(granted(nl=100), a=50, b=50)

    one_way = settled(settled(before, a=80), b=20)
    other_way = settled(settled(before, b=20), a=80)

    assert ledger.balance(one_way) == ledger.balance(other_way)
    assert ledger.balance(one_way) == Balance(granted=100, spent=100)
    assert (ledger.bill(one_way, "a"), ledger.bill(one_way, "b")) == (80, 20)
    assert ledger.overrun(one_way) == 0


def test_a_later_run_does_not_pay_for_an_overrun_from_before_its_hold():
    lines = settled(held(granted(nl=100), a=100), a=130)
    lines += ledger.grant(lines, key="more", share="nl", gpu_seconds=50, at=DURING)

    lines = settled(held(lines, b=50), b=10)

    assert ledger.overrun(lines) == 30
    assert ledger.balance(lines).left == 40


def test_a_run_that_never_held_anything_cannot_be_settled():
    with pytest.raises(ledger.NoHold):
        settled(granted(nl=100), a=1)


def test_a_correction_up_is_charged_to_what_is_left():
    lines = corrected(settled(held(granted(nl=100), a=60), a=50), "a", 7)

    assert ledger.balance(lines) == Balance(granted=100, spent=57)
    assert ledger.bill(lines, "a") == 57
    assert (lines[-1].kind, lines[-1].run_key, lines[-1].note) == ("counter", "a", "sacct")


def test_a_correction_down_gives_back_to_the_share_charged_last():
    lines = corrected(settled(held(granted(nl=100, eu=50), a=120), a=120), "a", -30)

    assert ledger.balance_by_share(lines) == {
        "nl": Balance(granted=100, spent=90),
        "eu": Balance(granted=50, spent=0),
    }


def test_a_correction_down_first_lowers_what_the_factory_bore():
    lines = corrected(settled(held(granted(nl=100), a=60), a=130), "a", -40)

    assert ledger.overrun(lines) == 0
    assert ledger.balance(lines) == Balance(granted=100, spent=90)
    assert ledger.bill(lines, "a") == 90


def test_a_correction_gives_back_no_more_than_the_bill():
    lines = settled(held(granted(nl=100), a=60, b=40), a=50, b=40)

    with pytest.raises(BeyondBill) as refusal:
        corrected(lines, "a", -51)

    assert refusal.value.missing == 1


def test_a_correction_beyond_what_is_left_is_borne_by_the_factory():
    lines = settled(held(granted(nl=100), a=60, b=40), a=60)

    lines = corrected(lines, "a", 7)

    assert ledger.bill(lines, "a") == 67
    assert ledger.overrun(lines) == 7
    assert ledger.balance(lines) == Balance(granted=100, held=40, spent=60)


def test_a_run_that_is_not_settled_cannot_be_corrected():
    with pytest.raises(ledger.NotSettled):
        corrected(held(granted(nl=100), a=60), "a", -1)


def test_a_correction_under_one_key_is_made_once_even_where_keys_begin_alike():
    lines = corrected(settled(held(granted(nl=100), a=60), a=60), "a", -5)

    assert corrected(lines, "a", -5) == lines
    assert ledger.bill(corrected(lines, "a", -5, key="night"), "a") == 50


def charged(lines: tuple[Line, ...], at: datetime = DURING, **jobs: int) -> tuple[Line, ...]:
    uses = [
        Use(key=f"job-{name}", gpu_seconds=used, note="alice") for name, used in jobs.items()
    ]
    return lines + ledger.charge(lines, uses=uses, at=at)


def test_a_job_around_the_portal_is_paid_from_what_is_left_in_the_order_of_grants():
    lines = charged(granted(nl=100, eu=50), a=120)

    assert ledger.balance_by_share(lines) == {
        "nl": Balance(granted=100, spent=100),
        "eu": Balance(granted=50, spent=20),
    }
    assert ledger.bill(lines, "job-a") == 120
    assert [line.note for line in lines[2:]] == ["alice", "alice"]


def test_what_jobs_around_the_portal_use_beyond_what_is_left_is_borne_by_the_factory():
    lines = charged(held(granted(nl=100), run=60), a=30, b=30)

    assert ledger.balance(lines) == Balance(granted=100, held=60, spent=40)
    assert ledger.overrun(lines) == 20
    assert ledger.bill(lines, "job-b") == 30
    assert ledger.open_holds(lines) == {"run": 60}


def test_a_charge_is_made_once_among_others_and_within_one_call():
    lines = charged(granted(nl=100), a=30)
    twice = [Use(key="job-b", gpu_seconds=10), Use(key="job-b", gpu_seconds=10)]

    again = charged(lines, a=30)
    both = ledger.charge(again, uses=twice, at=DURING)

    assert again == lines
    assert [line.gpu_seconds for line in both] == [10]


def test_a_job_that_used_nothing_leaves_no_line():
    assert (
        ledger.charge(granted(nl=100), uses=[Use(key="job-a", gpu_seconds=0)], at=DURING) == ()
    )


def test_a_charge_after_the_last_day_is_borne_by_the_factory():
    lines = granted(nl=100)
    lines += ledger.expire(lines, term=TERM, at=AFTER)

    after = charged(lines, at=AFTER, a=30)

    assert ledger.balance(after) == Balance(granted=100, expired=100)
    assert ledger.overrun(after) == 30


def test_time_that_a_run_frees_pays_a_charge_that_its_hold_kept_from_being_paid():
    lines = charged(held(granted(nl=100), run=90), a=30)

    lines = settled(lines, run=10)

    assert ledger.overrun(lines) == 0
    assert ledger.balance(lines) == Balance(granted=100, spent=40)
    assert {line.note for line in lines if line.run_key == "job-a"} == {"alice"}


def test_a_charge_is_corrected_as_a_bill_is():
    lines = corrected(charged(granted(nl=100), a=30), "job-a", -10)

    assert ledger.bill(lines, "job-a") == 20
    assert ledger.balance(lines).left == 80
    with pytest.raises(ledger.NotSettled):
        corrected(lines, "job-unknown", -10)


def test_nothing_expires_on_the_last_day():
    lines = granted(nl=100)

    last_moment = datetime(2026, 5, 31, 21, 59, 59, tzinfo=UTC)

    assert ledger.expire(lines, term=TERM, at=last_moment) == ()


def test_what_a_living_run_holds_expires_only_after_it_is_settled():
    lines = held(granted(nl=100), a=60)

    lines += ledger.expire(lines, term=TERM, at=AFTER)
    while_running = ledger.balance(lines)
    again = ledger.expire(lines, term=TERM, at=AFTER)
    lines = settled(lines, AFTER, a=45)
    lines += ledger.expire(lines, term=TERM, at=AFTER)

    assert while_running == Balance(granted=100, held=60, expired=40)
    assert again == ()
    assert ledger.balance(lines) == Balance(granted=100, spent=45, expired=55)
    assert len({line.key for line in lines}) == len(lines)


def test_an_extension_gives_back_what_had_expired():
    lines = settled(held(granted(nl=100), a=60), a=60)
    lines += ledger.expire(lines, term=TERM, at=AFTER)

    term, new = ledger.extend(lines, term=TERM, ends_on=date(2026, 6, 30), at=AFTER)
    lines += new

    assert ledger.balance(lines) == Balance(granted=100, spent=60)
    assert len(ledger.hold(lines, run_key="b", gpu_seconds=40, term=term, at=AFTER)) == 1


def test_the_same_extension_twice_changes_nothing_even_after_expiring_again():
    lines = granted(nl=100)
    term, new = ledger.extend(lines, term=TERM, ends_on=date(2026, 6, 30), at=DURING)
    lines += new
    lines += ledger.expire(lines, term=term, at=datetime(2026, 7, 2, tzinfo=UTC))

    repeated = ledger.extend(lines, term=term, ends_on=date(2026, 6, 30), at=AFTER)

    assert repeated == (term, ())
    assert ledger.balance(lines) == Balance(granted=100, expired=100)


def test_an_earlier_extension_asked_again_after_a_later_one_changes_nothing():
    lines = granted(nl=100)
    term, new = ledger.extend(lines, term=TERM, ends_on=date(2026, 6, 30), at=DURING)
    lines += new
    term, new = ledger.extend(lines, term=term, ends_on=date(2026, 7, 31), at=DURING)
    lines += new

    assert ledger.extend(lines, term=term, ends_on=date(2026, 6, 30), at=DURING) == (term, ())


def test_an_extension_must_end_later():
    with pytest.raises(ValueError, match="ends later"):
        ledger.extend(granted(nl=1), term=TERM, ends_on=date(2026, 5, 30), at=DURING)


@pytest.mark.parametrize("word", ["", "a:b"])
def test_a_key_that_could_be_mistaken_for_another_is_a_bug(word: str):
    with pytest.raises(ValueError, match="colon"):
        ledger.grant((), key=word, share="nl", gpu_seconds=1, at=DURING)
    with pytest.raises(ValueError, match="colon"):
        ledger.hold(granted(nl=9), run_key=word, gpu_seconds=1, term=TERM, at=DURING)


def test_amounts_that_make_no_sense_are_a_bug():
    with pytest.raises(ValueError, match="more than nothing"):
        granted(nl=0)
    with pytest.raises(ValueError, match="more than nothing"):
        held(granted(nl=1), a=0)
    with pytest.raises(ValueError, match="less than nothing"):
        settled(held(granted(nl=1), a=1), a=-1)


def test_a_moment_without_a_time_zone_is_a_bug():
    with pytest.raises(ValueError, match="time zone"):
        TERM.is_open(datetime(2026, 4, 1))  # noqa: DTZ001
