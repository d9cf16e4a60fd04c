"""Which bytes an organisation knows, each looked up in the index by itself.

Asked for as one list, PostgreSQL reads all rows of the organisation as long as it has not
counted them, so in the middle of a large push: each batch then costs more than the one before.
"""

from collections.abc import Iterable

from django.db import connection

from fabriek.store.among import among
from fabriek.store.models import Blob

# `LIMIT` keeps the two apart, so that there is but one way to do it.
FIND = (
    "SELECT one, here.id FROM unnest(%s::text[]) AS one, LATERAL"  # noqa: S608  a table of ours
    f" (SELECT id FROM {Blob._meta.db_table} WHERE organisation_id = %s AND sha256 = one"
    " LIMIT 1) AS here"
)


def of(organisation_id: int, sha256s: Iterable[str]) -> dict[str, int]:
    """Give {SHA-256: primary key} of those that have a row. What is no SHA-256 has none."""
    wanted = among(sha256s)
    if connection.vendor != "postgresql":
        rows = Blob.objects.filter(wanted, organisation_id=organisation_id)
        return dict(rows.values_list("sha256", "pk"))
    with connection.cursor() as cursor:
        cursor.execute(FIND, [f"{{{','.join(wanted.rhs)}}}", organisation_id])
        return dict(cursor.fetchall())
