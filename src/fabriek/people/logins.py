"""Give and take a login on the cluster; done on the server, by who gives out such logins."""

import re

from django.conf import settings
from django.db import IntegrityError, transaction
from django.utils.translation import gettext as _
from django.utils.translation import gettext_lazy

from fabriek.kernel import journal
from fabriek.kernel.errors import Invalid, Refused
from fabriek.people.models import Person

journal.describe(
    {
        "people.give_login": gettext_lazy("got a login on the cluster"),
        "people.take_login": gettext_lazy("no longer has a login on the cluster"),
    }
)

NAME = re.compile(r"[a-z_][a-z0-9_-]{0,31}", re.ASCII)
# Users that are no person. Nor are the accounts of cases: one would spend another's hours.
SYSTEM = frozenset({"root", "daemon", "nobody", "slurm", "munge"})


def give(person: Person, name: str) -> None:
    """Let `person` use the budgets of their cases as the user `name` of the cluster.

    Raises:
        Invalid: this cannot be the login of a person.
        Refused: somebody else has it (code `login_taken`).
    """
    if not NAME.fullmatch(name) or name in SYSTEM or name.startswith(settings.UNIX_PREFIX):
        raise Invalid(
            _(
                "“%(name)s” cannot be somebody's login. Use the name that they sign in with "
                "on the cluster: at most 32 small letters, digits, “-” and “_”."
            )
            % {"name": name[:40]}
        )
    try:
        with transaction.atomic():
            _write(person, name, verb="people.give_login")
    except IntegrityError as race:
        raise Refused(
            _("Somebody else here has the login “%(name)s” already.") % {"name": name},
            code="login_taken",
        ) from race


@transaction.atomic
def take_away(person: Person) -> None:
    """Let `person` use budgets by way of runs only; who has no login keeps none."""
    _write(person, "", verb="people.take_login")


def _write(person: Person, name: str, *, verb: str) -> None:
    changed = Person.objects.filter(pk=person.pk).exclude(unix_name=name)
    if changed.update(unix_name=name):
        journal.record(verb, person, by=None)
    person.unix_name = name
