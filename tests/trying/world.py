"""A case with a model of its own, made from an open one, and a session with it."""

from dataclasses import dataclass, field

from django.utils import timezone

from fabriek.allocations.models import Allocation
from fabriek.cases.models import Case
from fabriek.people.models import Person
from fabriek.registry import actions as registry
from fabriek.registry.models import Model
from fabriek.runs import folders
from fabriek.runs.models import Run
from fabriek.runs.states import RunState
from fabriek.store.models import Repository
from fabriek.trying import actions
from fabriek_recipes.try_model.knobs import READY
from fabriek_recipes.try_model.lines import ANSWERS, Answers, Said
from tests.agreements.policy_world import an_agreement, passed_on
from tests.factories import a_case, a_model, a_partner, a_person, an_organisation, staff
from tests.registry.worlds import a_consortium, a_finished_run, plain_model, some_data
from tests.runs.world import pushed


@dataclass
class World:
    case: Case
    lead: Person
    member: Person
    base: Model
    model: Model
    allocation: Allocation = field(init=False)

    def __post_init__(self):
        self.allocation = self.model.run.allocation

    def begin(self, *, by: Person | None = None, model: Model | None = None, **wish) -> Run:
        who, tried = by or self.member, model or self.model
        wanted = actions.Wish(**wish)
        return actions.start(tried, wanted, allocation=self.allocation, by=who)

    def opened(self, *, by: Person | None = None, model: Model | None = None) -> Run:
        """Begin a session and let it be ready, as the loop would have found it."""
        run = self.begin(by=by, model=model)
        folders.prepare(run)
        now = timezone.now()
        Run.objects.filter(pk=run.pk).update(
            state=RunState.RUNNING, stage=READY, started_at=now
        )
        return again(run)


def a_world(tmp_path) -> World:
    case, lead, member = a_consortium()
    base = registry.bring_in(
        plain_model(tmp_path / "base"),
        title="Small base",
        licence="apache-2.0",
        organisation=an_organisation(),
        by=staff(),
    )
    made = a_finished_run(case=case, data=[some_data(case)], base=base)
    return World(case=case, lead=lead, member=member, base=base, model=registry.register(made))


def again(run: Run) -> Run:
    rows = Run.objects.select_related(
        "case__organisation", "allocation", "asked_by", "continues"
    )
    return rows.get(pk=run.pk)


def answered(run: Run, number: int, *, why: str = "ended", **texts: str) -> None:
    """Say something as the job would: `model` and `base` by name."""
    with Answers(run.folder / ANSWERS) as answers:
        for side, text in texts.items():
            said = Said(tokens=len(text), seconds=0.5, why=why)
            answers.piece(number, side, kept=0, text=text, said=said)
            if why:
                answers.over(number, side, said)


def given(prompt="Wie belt er?", **more) -> actions.Given:
    return actions.Given(prompt=prompt, **more)


def lent(world: World, **terms):
    """Lend a model of another case to ours; give it with the agreement."""
    other = a_model(title="Lent")
    Repository.objects.filter(pk=other.repository_id).update(code=other.code)
    files = {"config.json": "{}", "model.safetensors": "weights", "tokenizer.json": "{}"}
    revision = pushed(other.repository, files, world.lead)
    Model.objects.filter(pk=other.pk).update(revision=revision)
    agreement = an_agreement(other.repository, world.case, **terms)
    rows = Model.objects.select_related("repository__case", "revision", "run", "case")
    return rows.get(pk=other.pk), agreement


def named_partner(world: World):
    """Give somebody of an organisation that an agreement on the model's data names, with it."""
    partner = a_person()
    theirs = an_organisation(member=partner)
    a_partner(world.case, organisation=theirs)
    data = some_data(a_case(), code="D26-9100")
    terms = {"product": "model_api", "place": "shared", "organisations": [theirs]}
    agreement = an_agreement(data.repository, world.case, **terms)
    passed_on(world.model.repository, agreement)
    return partner, agreement
