"""Fill a factory for the clients: two companies, each with a case; tells names and tokens.

Run in the factory's own environment; what is told goes to the clients as it is.
"""

import json
import sys

import django

django.setup()

from django.core.management import call_command  # noqa: E402

from fabriek.datasets import actions as datasets  # noqa: E402
from fabriek.hub.models import Xorb  # noqa: E402
from tests import factories  # noqa: E402

FACTS = {"description": "", "licence": "consortium-only", "has_personal_data": False}


def fill() -> dict[str, str]:
    call_command("migrate", verbosity=0)
    person, stranger = factories.a_person(), factories.a_person()
    ours, theirs = factories.a_case(lead=person), factories.a_case(lead=stranger)
    secret = datasets.create(theirs, by=stranger, title="salaries", **FACTS)
    datasets.push_files(secret, {"all.csv": [b"a,b\n1,2\n"]}, message="first", by=stranger)
    return {
        "case": ours.code,
        "secret": secret.repository.repo_id,
        "token": factories.a_token(person),
        "reading_token": factories.a_token(person, scope="read"),
        "stranger": factories.a_token(stranger),
    }


def xorbs() -> dict[str, int]:
    """Tell how many xorbs came for each repository."""
    counts: dict[str, int] = {}
    for xorb in Xorb.objects.select_related("repository"):
        name = xorb.repository.repo_id
        counts[name] = counts.get(name, 0) + 1
    return counts


if __name__ == "__main__":
    print(json.dumps({"fill": fill, "xorbs": xorbs}[sys.argv[1]]()))
