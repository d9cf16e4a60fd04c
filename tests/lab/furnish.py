"""Furnish a factory that runs, as its own process: `python -m tests.lab.furnish`."""

import json
import secrets
import sys
from importlib import import_module

import django

PASSWORD = "een-lang-wachtwoord-7"


def a_party(factories, email):
    """Make somebody with an open case, GPU-hours and a token."""
    person = factories.a_person(email=email, name=email.partition("@")[0])
    person.set_password(PASSWORD)
    person.save()
    case = factories.a_case(lead=person)
    allocation = factories.an_allocation(case=case, gpu_seconds=360_000)
    allocation.account = f"lab{secrets.token_hex(4)}"  # that no other test on a cluster has
    allocation.save()
    told = {"email": email, "case": case.code, "account": allocation.account}
    return person, case, told | {"token": factories.a_token(person)}


def main():
    django.setup()
    factories = import_module("tests.factories")  # only now, as it knows models
    a_text = import_module("tests.runs.world").a_text
    person, case, ours = a_party(factories, "ada@example.org")
    _stranger, _case, theirs = a_party(factories, "ben@example.org")
    revision = a_text(case, person, text="zeven GPU's\n")
    data = f"{revision.repository.code}@{revision.number}"
    json.dump({"ours": ours | {"data": data}, "theirs": theirs}, sys.stdout)


if __name__ == "__main__":
    main()
