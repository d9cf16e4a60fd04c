"""The whole way of a case, step by step, through the same actions people use.

Each step first looks whether it was done already, so that the demo can be interrupted and run
again: it goes on where it was, and doubles nothing.
"""

from collections.abc import Mapping
from datetime import timedelta
from pathlib import Path

from django.db.models import Max
from django.utils import timezone

from fabriek.access import actions as access
from fabriek.access.models import Application, Mode
from fabriek.access.states import ApplicationState
from fabriek.agreements import actions as agreements
from fabriek.agreements import proposals
from fabriek.agreements.models import Agreement, Duty, Place, Product, Purpose
from fabriek.agreements.proposals import Proposal
from fabriek.agreements.states import AgreementState
from fabriek.agreements.terms import Terms
from fabriek.allocations import actions as allocations
from fabriek.allocations.models import Allocation, Share
from fabriek.cases import actions as cases
from fabriek.cases.models import Case, Intake, Partner, Sector
from fabriek.cases.states import CaseState, PartnerState
from fabriek.datasets import actions as datasets
from fabriek.datasets.models import Dataset
from fabriek.demo import story
from fabriek.demo.cast import Cast
from fabriek.people.models import Person
from fabriek.runs import actions as runs
from fabriek.runs.models import Run
from fabriek.runs.states import UNFINISHED, RunState
from fabriek.store.models import Revision

ENDED = {ApplicationState.WITHDRAWN, ApplicationState.REFUSED, ApplicationState.DECLINED}


def propose(cast: Cast) -> Case:
    """Describe the case and propose it."""
    case = Case.objects.filter(organisation=cast.company, title=story.CASE["title"]).first()
    if case is None:
        sector = Sector.objects.get(code=story.SECTOR)
        case = cases.draft(cast.company, by=cast.applicant, sector=sector, **story.CASE)  # type: ignore[arg-type]
    if case.state == CaseState.DRAFT:
        cases.propose(case, by=cast.applicant)
    return case


def build_consortium(case: Case, cast: Cast) -> Partner:
    """Invite the knowledge institute, which accepts."""
    partner = Partner.objects.filter(case=case, organisation=cast.institute).first()
    if partner is None:
        partner = cases.invite(
            case, cast.institute, part="expert", message=story.INVITATION, by=cast.applicant
        )
    if partner.state == PartnerState.INVITED:
        cases.accept(partner, by=cast.partner)
    return partner


def ask_advice(case: Case, cast: Cast) -> None:
    if not Intake.objects.filter(case=case).exists():
        cases.answer_intake(case, by=cast.applicant, **story.INTAKE)  # type: ignore[arg-type]


def apply(case: Case, cast: Cast) -> Application:
    """Start the application, fill in its sections and hand it in."""
    application = Application.objects.filter(case=case).exclude(state__in=ENDED).first()
    if application is None:
        mode = Mode.objects.get(code=story.MODE)
        application = access.start(case, mode=mode, by=cast.applicant)
    if application.state == ApplicationState.DRAFT:
        _fill_in(application, by=cast.applicant)
        access.submit(application, by=cast.applicant)
    return application


def judge(application: Application, cast: Cast) -> Application:
    """Check eligibility, assess technically, decide; then the applicant accepts."""
    if application.state == ApplicationState.SUBMITTED:
        access.find_eligible(application, by=cast.staff)
        application.refresh_from_db()
    if application.state == ApplicationState.ELIGIBLE:
        access.assess(
            application,
            step="technical",
            by=cast.assessor,
            is_positive=True,
            remarks=story.FEASIBLE,
        )
        application.refresh_from_db()
    if application.state == ApplicationState.FEASIBLE:
        access.award(
            application,
            by=cast.staff,
            gpu_hours=application.gpu_hours_asked or 0,
            months=story.MONTHS,
            reasons=story.REASONS,
        )
        application.refresh_from_db()
    if application.state == ApplicationState.AWARDED:
        access.accept(application, by=cast.applicant)
        application.refresh_from_db()
    return application


def open_hours(application: Application, cast: Cast) -> Allocation:
    share = Share.objects.get(code=application.mode.rules.share)
    return allocations.grant(application.decision, share=share, by=cast.staff)


def push(case: Case, *, title: str, files: Mapping[str, Path], by: Person) -> Revision:
    """Put files in a dataset of the case; the same files again are the same revision."""
    dataset = Dataset.objects.filter(case=case, title=title).first()
    if dataset is None:
        dataset = datasets.create(
            case,
            by=by,
            title=title,
            description=str(story.CASE["data_description"]),
            licence="consortium-only",
            has_personal_data=False,
        )
    blobs = {}
    for name, path in files.items():
        with path.open("rb") as file:
            blobs[name] = datasets.add_file(dataset, name, file, by=by)
    return datasets.commit(dataset, blobs, message="Uit de demo", by=by)


def lend(data: Revision, cast: Cast) -> Agreement:
    """Let the institute measure models on the data, in a case of its own: both sign."""
    case = Case.objects.filter(organisation=cast.institute, title=story.STUDY["title"]).first()
    if case is None:
        sector = Sector.objects.get(code=story.SECTOR)
        case = cases.draft(cast.institute, by=cast.partner, sector=sector, **story.STUDY)  # type: ignore[arg-type]
    if case.state == CaseState.DRAFT:
        cases.propose(case, by=cast.partner)
    made = Agreement.objects.filter(repository=data.repository, case=case).first()
    if made is None:
        made = agreements.offer(_study(data, case), by=cast.applicant)
    if made.state == AgreementState.OFFERED:
        made = agreements.sign(made, by=cast.partner, text_sha256=made.text_sha256)
        agreements.say(made, story.STUDY_ANSWER, by=cast.partner)
    return made


def ask_run(wish: runs.Wish, *, allocation: Allocation, by: Person) -> Run:
    """Ask for a run, or find the same one that succeeded or is on its way."""
    rows = Run.objects.filter(allocation=allocation, recipe=wish.recipe)
    rows = rows.filter(state__in={*UNFINISHED, RunState.SUCCEEDED})
    for revision in wish.inputs.values():
        rows = rows.filter(inputs__revision=revision)
    return rows.order_by("-asked_at").first() or runs.ask(wish, allocation=allocation, by=by)


def _study(data: Revision, case: Case) -> Proposal:
    today = timezone.localdate()
    terms = Terms(
        purposes=frozenset({Purpose.EVALUATION, Purpose.RESEARCH}),
        product=Product.STATISTICS,
        place=Place.SHARED,
        duties=frozenset({Duty.DELETE, Duty.ATTRIBUTE}),
        begins_at=proposals.start_of(today),
        ends_at=proposals.end_of(today + timedelta(days=story.STUDY_DAYS)),
        conditions=frozenset({story.STUDY_CONDITIONS}),
    )
    return Proposal(repository=data.repository, case=case, terms=terms, language="nl")


def _fill_in(application: Application, *, by: Person) -> None:
    versions = application.answers.values("section").annotate(at=Max("version"))
    known = {row["section"]: row["at"] for row in versions}
    for section, values in story.ANSWERS.items():
        version = known.get(section, 0)
        access.save_section(application, section, values, version=version, by=by)
