"""Put somebody with an empty dataset into a factory that runs; told as JSON."""

import json
import secrets
import sys
from importlib import import_module

import django

PASSWORD = "een-lang-wachtwoord-7"


def main():
    django.setup()
    factories = import_module("tests.factories")  # only now, as it knows models
    actions = import_module("fabriek.datasets.actions")
    lead = factories.a_person(name="Lotte", email=f"{secrets.token_hex(8)}@example.org")
    lead.set_password(PASSWORD)
    lead.save()
    kvk_number = f"{secrets.randbelow(10**8):08d}"
    organisation = factories.an_organisation(lead=lead, kvk_number=kvk_number)
    case = factories.a_case(lead=lead, organisation=organisation)
    facts = {"description": "", "licence": "CC-BY-4.0", "has_personal_data": False}
    dataset = actions.create(case, by=lead, title="Opnames", **facts)
    told = {"email": lead.email, "code": dataset.code, "token": factories.a_token(lead)}
    json.dump(told, sys.stdout)


if __name__ == "__main__":
    main()
