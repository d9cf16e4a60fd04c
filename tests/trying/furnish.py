"""Furnish a factory with a model to try: `python -m tests.trying.furnish BASE TUNED`."""

import json
import sys
import tempfile
from importlib import import_module
from pathlib import Path

import django

PASSWORD = "een-lang-wachtwoord-7"


def main(base, tuned):
    django.setup()
    factories = import_module("tests.factories")  # only now, as it knows models
    real = import_module("tests.trying.real")
    person = factories.a_person(email="ada@example.org", name="Ada")
    person.set_password(PASSWORD)
    person.save()
    case = factories.a_case(lead=person)
    factories.an_allocation(case=case, gpu_seconds=36_000)
    with tempfile.TemporaryDirectory() as aside:
        model = real.registered(case, base=Path(base), tuned=Path(tuned), aside=Path(aside))
    json.dump({"email": person.email, "model": model.code, "case": case.code}, sys.stdout)


if __name__ == "__main__":
    main(*sys.argv[1:])
