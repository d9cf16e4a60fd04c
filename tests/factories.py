"""Make things for tests. Each returns something valid and unremarkable."""

import itertools
from datetime import timedelta

from django.utils import timezone

from fabriek.access.models import Application, Decision, Form, Mode
from fabriek.access.states import ApplicationState
from fabriek.allocations.models import Allocation, Funder, Grant, Line, Share
from fabriek.cases.models import Case, Partner, Sector
from fabriek.cases.states import CaseState, PartnerState
from fabriek.datasets.models import Dataset
from fabriek.kernel.codes import give_code
from fabriek.people import tokens
from fabriek.people.models import Duty, Membership, Organisation, Person, Token
from fabriek.registry.models import Model
from fabriek.runs.models import Run
from fabriek.store.models import Repository, Revision

_n = itertools.count(1)

FORM = {
    "code": "tiny",
    "version": 1,
    "sections": [
        {
            "key": "plan",
            "title": {"nl": "Uw plan", "en": "Your plan"},
            "fields": [
                {
                    "key": "goal",
                    "label": {
                        "nl": "Wat wilt u bereiken?",
                        "en": "What do you want to reach?",
                    },
                    "kind": "longtext",
                    "required": True,
                }
            ],
        }
    ],
}


def a_person(*, duty="", funder_code="", **fields):
    number = next(_n)
    fields = {"email": f"person{number}@example.org", "name": f"Person {number}"} | fields
    person = Person(**fields)
    person.set_unusable_password()
    person.save()
    if duty:
        Duty.objects.create(person=person, duty=duty, funder_code=funder_code)
    return person


def staff():
    return a_person(duty="staff")


def an_assessor():
    return a_person(duty="assessor")


def an_organisation(*, lead=None, member=None, **fields):
    number = next(_n)
    defaults = {"name": f"Organisation {number}", "kvk_number": f"{number:08d}", "kind": "sme"}
    organisation = Organisation.objects.create(**defaults | fields)
    if lead:
        Membership.objects.create(organisation=organisation, person=lead, role="lead")
        lead.__dict__.pop("roles", None)
    if member:
        Membership.objects.create(organisation=organisation, person=member, role="member")
        member.__dict__.pop("roles", None)
    return organisation


def a_sector(code="care"):
    return Sector.objects.get_or_create(
        code=code, defaults={"name_nl": "zorg", "name_en": "care"}
    )[0]


def a_case(*, lead=None, organisation=None, state=CaseState.OPEN, **fields):
    """Make an open case of `organisation`, or of a new one led by `lead`."""
    lead = lead or a_person()
    organisation = organisation or an_organisation(lead=lead)
    defaults = {
        "title": "Shorter waiting at the care desk",
        "problem": "Messages arrive at the wrong desk.",
        "sector": a_sector(),
        "trl_now": 3,
        "trl_aimed": 6,
        "created_by": lead,
        "proposed_at": timezone.now(),
    }
    case = Case.objects.create(organisation=organisation, state=state, **defaults | fields)
    give_code(case, "C")
    return case


def a_partner(case, *, organisation=None, lead=None, state=PartnerState.ACCEPTED):
    organisation = organisation or an_organisation(lead=lead or a_person(), kind="knowledge")
    return Partner.objects.create(
        case=case,
        organisation=organisation,
        part="expert",
        state=state,
        invited_by=case.created_by,
    )


def a_token(person, *, scope="write", **fields):
    """Make a token; returns the key that a program would send."""
    made = tokens.new_key()
    defaults = {"name": "laptop", "expires_at": timezone.now() + timedelta(days=30)}
    Token.objects.create(
        person=person,
        prefix=made.prefix,
        digest=made.digest,
        scope=scope,
        **defaults | fields,
    )
    return made.key


def a_decision(*, case=None, gpu_hours=10, months=3):
    """Make an accepted award, past all its assessment."""
    application = an_application(case=case, state=ApplicationState.ACCEPTED)
    return Decision.objects.create(
        application=application,
        is_award=True,
        gpu_hours=gpu_hours,
        months=months,
        reasons="A good plan.",
        decided_by=staff(),
    )


def a_mode(code="tiny", **definition):
    """Make an access mode as the factory's own data file would."""
    form = a_form()
    defaults = {"code": code, "form": {"code": form.code, "version": form.version}}
    return Mode.objects.get_or_create(
        code=code,
        defaults={"name_nl": "Klein", "name_en": "Tiny", "definition": defaults | definition},
    )[0]


def a_form():
    return Form.objects.get_or_create(
        code=FORM["code"], version=FORM["version"], defaults={"definition": FORM}
    )[0]


def an_application(*, case=None, mode=None, state=ApplicationState.DRAFT, **fields):
    case = case or a_case()
    submitted = state not in {ApplicationState.DRAFT, ApplicationState.WITHDRAWN}
    defaults = {
        "created_by": case.created_by,
        "submitted_at": timezone.now() if submitted else None,
        "gpu_hours_asked": 5000 if submitted else None,
        "months": 3 if submitted else None,
    }
    application = Application.objects.create(
        case=case, mode=mode or a_mode(), form=a_form(), state=state, **defaults | fields
    )
    give_code(application, "A")
    return application


def a_share(code="nl", **fields):
    funder = Funder.objects.get_or_create(
        code=f"funder-{code}", defaults={"name_nl": "Het Rijk", "name_en": "The State"}
    )[0]
    defaults = {
        "funder": funder,
        "name_nl": "Nationaal deel",
        "name_en": "National share",
        "target_percent": 50,
        "tariff_eur_cents": 250,
        "is_state_aid": True,
        "legal_basis": "de-minimis",
        "aid_ceiling_eur_cents": 30_000_000,
    }
    return Share.objects.get_or_create(code=code, defaults=defaults | fields)[0]


def an_allocation(*, case=None, gpu_seconds=36_000, share=None, **fields):
    """Make an allocation that runs from yesterday, with its grant and its ledger line."""
    case = case or a_case()
    share = share or a_share()
    today = timezone.localdate()
    defaults = {"starts_on": today - timedelta(days=1), "ends_on": today + timedelta(days=90)}
    allocation = Allocation.objects.create(
        account=f"acc{next(_n)}",
        decision=a_decision(case=case),
        case=case,
        gpu_seconds_granted=gpu_seconds,
        **defaults | fields,
    )
    grant = Grant.objects.create(
        allocation=allocation,
        share=share,
        organisation=case.organisation,
        gpu_seconds=gpu_seconds,
        aid_eur_cents=0,
    )
    Line.objects.create(
        allocation=allocation,
        key=f"grant:{grant.pk}",
        kind="grant",
        share=share,
        gpu_seconds=gpu_seconds,
    )
    return allocation


def a_repository(*, case=None, kind="dataset", is_open=False, **fields):
    case = case or a_case()
    return Repository.objects.create(
        case=case, organisation=case.organisation, kind=kind, is_open=is_open, **fields
    )


def a_revision(repository=None, *, number=1):
    """Make a revision without files; tests of bytes push real ones through the actions."""
    return Revision.objects.create(
        repository=repository or a_repository(),
        number=number,
        digest="0" * 64,
        message="first",
        file_count=0,
        size_bytes=0,
    )


def a_dataset(*, case=None, **fields):
    case = case or a_case()
    defaults = {
        "title": "Messages",
        "licence": "consortium-only",
        "has_personal_data": False,
        "created_by": case.created_by,
    }
    dataset = Dataset.objects.create(
        case=case, repository=a_repository(case=case), **defaults | fields
    )
    give_code(dataset, "D")
    return dataset


def a_run(*, allocation=None, **fields):
    allocation = allocation or an_allocation()
    defaults = {
        "recipe": "finetune_lm",
        "timeout_s": 600,
        "gpu_seconds_estimated": 300,
        "asked_by": allocation.case.created_by,
    }
    run = Run.objects.create(case=allocation.case, allocation=allocation, **defaults | fields)
    give_code(run, "R")
    return run


def a_model(*, case=None, is_open=False, **fields):
    case = case or a_case()
    revision = a_revision(a_repository(case=case, kind="model", is_open=is_open))
    defaults = {"title": "Desk model", "licence": "EUPL-1.2", "card": "# Desk model"}
    made = {"repository": revision.repository, "revision": revision}
    model = Model.objects.create(case=case, **made, **defaults | fields)
    give_code(model, "M")
    return model
