"""Taking a repository away: only what nothing else names, whatever room that is of."""

from django.db import transaction
from django.db.models.deletion import ProtectedError, RestrictedError
from django.utils.translation import gettext as _

from fabriek.agreements.traces import Chain, Decided
from fabriek.kernel.errors import Refused
from fabriek.store import held
from fabriek.store.models import Repository

# Who read it stays written down; what that was about is then an empty place without a name.
LOG = {Chain, Decided}


def remove(repository: Repository) -> None:
    """Take it and its revisions away, inside the caller's transaction.

    What only describes it goes along; what uses it (a run, a model, an agreement) protects it.

    Raises: Refused, RepositoryGone.
    """
    # Who saves at this moment is waited for, or finds it gone.
    held.alone(repository)
    try:
        repository.refs.all().delete()
        # A revision protects the one it was made from.
        repository.revisions.update(parent=None)
        repository.revisions.all().delete()
        if hasattr(repository, "dataset"):
            repository.dataset.delete()
    except (ProtectedError, RestrictedError) as error:
        raise _named() from error
    try:
        with transaction.atomic():
            repository.delete()
    except ProtectedError as error:
        if not {type(thing) for thing in error.protected_objects} <= LOG:
            raise _named() from error
        Repository.objects.filter(pk=repository.pk).update(
            code=None,
            title="",
            namespace="",
            name="",
            listed_for=Repository.Listed.NOBODY,
        )


def _named() -> Refused:
    return Refused(
        _(
            "Something names this: a run, a model or an agreement. What was made from it "
            "must be able to tell its origin, so it stays."
        ),
        code="named",
    )
