"""A repository that is held while something is noted for it: whoever removes it waits.

In either case until the caller's transaction ends.
"""

from django.db import connection

from fabriek.store import refusals
from fabriek.store.models import Repository

TABLE = Repository._meta.db_table


def hold(repository: Repository) -> None:
    """Hold it beside others who do. Raises: RepositoryGone.

    It may have been removed while bytes came in. Many may hold it at once, and who saves a
    revision meanwhile waits for none of them.
    """
    lock = " FOR KEY SHARE" if connection.vendor == "postgresql" else ""
    with connection.cursor() as cursor:
        cursor.execute(f"SELECT 1 FROM {TABLE} WHERE id = %s{lock}", [repository.pk])  # noqa: S608
        if cursor.fetchone() is None:
            raise refusals.repository_gone()


def to_save(repository: Repository) -> Repository:
    """Wait for who saves to it; who sends files meanwhile need not wait.

    Gives it as it is now. Raises: RepositoryGone.
    """
    rows = Repository.objects.select_for_update(no_key=True)
    if (now := rows.filter(pk=repository.pk).first()) is None:
        raise refusals.repository_gone()
    return now


def alone(repository: Repository) -> None:
    """Wait for all who hold it or save to it, and let none begin. Raises: RepositoryGone."""
    if Repository.objects.select_for_update().filter(pk=repository.pk).first() is None:
        raise refusals.repository_gone()
