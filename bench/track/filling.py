"""Make somebody with a case and a run in it; tells the token, the session and the run."""

import json

import django

django.setup()

from bench.data.rounds import somebody  # noqa: E402
from bench.visitors import key_for, signed_in  # noqa: E402
from fabriek.tracking.models import Experiment, Tally, Tracked  # noqa: E402


def fill() -> dict[str, object]:
    person, case = somebody(1)
    experiment = Experiment.objects.create(case=case, name=case.code, made_by=person)
    run = Tracked.objects.create(
        case=case, experiment=experiment, made_by=person, started_ms=1000
    )
    Tally.objects.create(tracked=run)
    return {"token": key_for(person), "session": signed_in(person), "run": run.uuid}


if __name__ == "__main__":
    print(json.dumps(fill()))
