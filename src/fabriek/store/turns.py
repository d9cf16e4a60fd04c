"""Those of one organisation who mark many bytes take turns.

Each locks some thousands of rows in more than one statement: two of them who hold what the
other asks for next would end each other, and the same files come from several people at once.
"""

from django.db import connection

OURS = 0x57_4F_52_45  # among the locks that others on this database may have


def take(organisation_id: int) -> None:
    """Wait for the turn; it ends with the transaction. SQLite lets one write at a time."""
    if connection.vendor == "postgresql":
        with connection.cursor() as cursor:
            cursor.execute("SELECT pg_advisory_xact_lock(%s, %s)", [OURS, organisation_id])
