"""Whether an owner let a result go out: one rule, in Python and in the database."""

import itertools

import pytest
from django.utils import timezone

from fabriek.agreements import let_out
from fabriek.agreements.models import Inherited
from tests.agreements.policy_world import an_agreement
from tests.factories import a_case, a_dataset, a_person, a_repository, a_revision

pytestmark = pytest.mark.django_db


def test_the_database_agrees_with_the_rule_in_every_situation():
    case, owner, now = a_case(), a_person(), timezone.now()
    lent = an_agreement(a_dataset().repository, case)
    newest = {}
    situations = itertools.product(
        (True, False), ("", "released", "held_back"), (0, 1, 2), (0, 1, 2)
    )
    for needs_review, verdict, seen, number in situations:
        made = a_repository(case=case, kind="model")
        for each in range(1, number + 1):
            a_revision(made, number=each)
        row = Inherited.objects.create(
            repository=made,
            agreement=lent,
            needs_review=needs_review,
            verdict=verdict,
            judged_by=owner if verdict else None,
            judged_at=now if verdict else None,
            judged_revision=seen,
        )
        newest[row] = number

    kept_in = {
        row: let_out.why_kept_in(row, revision=lambda at=number: at)
        for row, number in newest.items()
    }

    assert {*let_out.kept_in()} == {row for row, why in kept_in.items() if why}
    free = [row for row, why in kept_in.items() if row.needs_review and not why]
    assert {(row.verdict, row.judged_revision >= newest[row]) for row in free} == {
        ("released", True)
    }
    assert len(free) == 6
