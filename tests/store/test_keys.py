"""Which bytes an organisation knows: its own alone, each found in the index."""

import json

import pytest
from django.db import connection

from fabriek.store import keys
from fabriek.store.models import Blob
from tests.factories import an_organisation
from tests.store.test_actions import sha256

pytestmark = pytest.mark.django_db
NAMES = [sha256(str(number).encode()) for number in range(3000)]


def rows(organisation, names):
    made = (Blob(organisation=organisation, sha256=name, size_bytes=1) for name in names)
    return {blob.sha256: blob.pk for blob in Blob.objects.bulk_create(made)}


def test_each_is_found_among_those_of_the_organisation_and_of_no_other():
    ours, others = an_organisation(), an_organisation(kvk_number="87654321")
    known = rows(ours, NAMES[:2])
    rows(others, NAMES[1:3])

    asked = [*NAMES[:4], NAMES[0], "no name", "'", "", "}", "é"]

    assert keys.of(ours.pk, asked) == known
    assert keys.of(ours.pk, []) == {}


@pytest.mark.skipif("connection.vendor != 'postgresql'")
def test_a_database_that_has_counted_nothing_reads_no_more_rows_than_are_asked_for():
    organisation = an_organisation()
    rows(organisation, NAMES)

    with connection.cursor() as cursor:
        wanted = f"{{{','.join(NAMES[:250])}}}"
        cursor.execute(f"EXPLAIN (ANALYZE, FORMAT JSON) {keys.FIND}", [wanted, organisation.pk])
        plan = json.dumps(cursor.fetchone()[0])

    assert "blob_once" in plan
    assert "Rows Removed by Filter" not in plan
