"""Fill a factory for MLflow's client: two companies, each with a case; tells names and keys.

Run in the factory's own environment; what is told goes to the client as it is.
"""

import json

import django

django.setup()

from django.core.management import call_command  # noqa: E402
from django.utils import timezone  # noqa: E402

from fabriek.runs import hub_keys  # noqa: E402
from fabriek.runs.models import Metric  # noqa: E402
from fabriek.runs.states import RunState  # noqa: E402
from fabriek.tracking.doors import number_of  # noqa: E402
from fabriek.tracking.models import Experiment, Tally, Tracked  # noqa: E402
from tests import factories  # noqa: E402


def fill() -> dict[str, str]:
    call_command("migrate", verbosity=0)
    person, stranger = factories.a_person(), factories.a_person()
    ours, theirs = factories.a_case(lead=person), factories.a_case(lead=stranger)
    allocation = factories.an_allocation(case=ours)
    run = factories.a_run(allocation=allocation, state=RunState.RUNNING, knobs={"rows": 3})
    for step, value in enumerate((3.0, 2.0, 1.0), 1):
        Metric.objects.create(run=run, name="loss", step=step, value=value, at=timezone.now())
    return {
        "case": ours.code,
        "others": f"{theirs.code}/salaries",
        "other_run": _run_of(theirs, stranger),
        "token": factories.a_token(person),
        "factory_run": number_of(run),
        "job_key": hub_keys.key_of(run),
    }


def _run_of(case, person) -> str:
    name = f"{case.code}/salaries"
    experiment = Experiment.objects.create(case=case, name=name, made_by=person)
    made = Tracked.objects.create(
        case=case, experiment=experiment, made_by=person, started_ms=1000
    )
    Tally.objects.create(tracked=made)
    return made.uuid


if __name__ == "__main__":
    print(json.dumps(fill()))
