"""Cases with their consortia and intakes."""

from datetime import timedelta

from bench.world.people import People
from bench.world.size import Making, keep
from fabriek.cases.models import Case, Intake, Partner, Sector
from fabriek.kernel.models import Entry

PROBLEM = (
    "Berichten van bewoners komen bij het verkeerde loket en blijven daar dagen liggen. "
    "Wij willen een model dat elk bericht leest, de juiste afdeling kiest en zegt hoe dringend "
    "het is, zodat een medewerker binnen een uur kan antwoorden. "
) * 3
PARTS = ("data_owner", "developer", "user", "expert")


def make(making: Making, people: People) -> list[Case]:
    sectors = list(Sector.objects.all())
    cases = keep(Case, (_case(making, people, sectors, n) for n in range(making.size.cases)))
    keep(Partner, (partner for case in cases for partner in _partners(people, case)))
    keep(Intake, (_intake(case) for case in cases))
    keep(Entry, (entry for case in cases for entry in _told(case)))
    return cases


def _case(making: Making, people: People, sectors: list[Sector], number: int) -> Case:
    organisation = people.organisations[number % making.size.asking]
    days = 40 + 660 * (making.size.cases - number) / making.size.cases
    at = making.now - timedelta(days=days)
    return Case(
        code=making.code("C", number + 1),
        organisation=organisation,
        title=f"Berichten sneller bij het juiste loket ({number})",
        problem=PROBLEM,
        data_description="Twee jaar berichten, met de afdeling die ze oploste.",
        sector=sectors[number % len(sectors)],
        trl_now=3,
        trl_aimed=7,
        is_confidential=number % 7 == 0,
        state="open" if number % 25 else "closed",
        created_by=people.lead_of(organisation),
        created_at=at,
        proposed_at=at + timedelta(hours=2),
    )


def _partners(people: People, case: Case):
    for turn in (1, 2):
        place = (case.pk * 7 + turn * 131) % len(people.organisations)
        organisation = people.organisations[place]
        if organisation.pk != case.organisation_id:
            yield Partner(
                case=case,
                organisation=organisation,
                part=PARTS[(case.pk + turn) % len(PARTS)],
                state="invited" if (case.pk + turn) % 20 == 0 else "accepted",
                invited_by=case.created_by,
                invited_at=case.proposed_at,
            )


def _intake(case: Case) -> Intake:
    return Intake(case=case, purpose="build", experience="some", gpu_hours_guess=5000, months=6)


def _told(case: Case):
    for verb in ("cases.draft", "cases.intake", "cases.propose", "cases.invite"):
        yield Entry(
            verb=verb,
            subject_kind="cases.case",
            subject_id=case.pk,
            thread=case.code,
            by=case.created_by,
        )
