"""Two companies with a case each, and a dataset of the one that the other may find."""

from dataclasses import dataclass
from datetime import timedelta

from django.utils import timezone

from fabriek.agreements import proposals
from fabriek.agreements.models import Duty, Place, Product, Purpose
from fabriek.agreements.proposals import Proposal
from fabriek.agreements.terms import Terms
from fabriek.cases.models import Case
from fabriek.datasets.models import Dataset
from fabriek.people.models import Person
from fabriek.store.models import Repository
from tests.factories import a_case, a_dataset, a_person, an_organisation


@dataclass(frozen=True, kw_only=True)
class Ground:
    owner: Person  # leads the organisation that owns the data
    clerk: Person  # works there
    asker: Person  # leads the organisation that wants it
    colleague: Person  # works there
    dataset: Dataset
    case: Case  # that wants the data

    @property
    def repository(self):
        return Repository.objects.get(pk=self.dataset.repository_id)

    def proposal(self, **changes):
        parts = {"repository": self.repository, "case": self.case, "terms": some_terms()}
        return Proposal(**parts | changes)


def a_ground(*, listed_for=Repository.Listed.MEMBERS) -> Ground:
    owner, clerk, asker, colleague = a_person(), a_person(), a_person(), a_person()
    theirs = an_organisation(lead=owner, member=clerk, name="Data Owners")
    ours = an_organisation(lead=asker, member=colleague, name="Model Makers")
    dataset = a_dataset(case=a_case(lead=owner, organisation=theirs))
    Repository.objects.filter(pk=dataset.repository_id).update(
        code=dataset.code, title=dataset.title, listed_for=listed_for
    )
    case = a_case(lead=asker, organisation=ours, title="A secret plan")
    return Ground(
        owner=owner, clerk=clerk, asker=asker, colleague=colleague, dataset=dataset, case=case
    )


def some_terms(**changes) -> Terms:
    today = timezone.localdate()
    parts = {
        "purposes": frozenset({Purpose.TRAINING, Purpose.EVALUATION}),
        "product": Product.MODEL_API,
        "place": Place.SHARED,
        "duties": frozenset({Duty.DELETE}),
        "begins_at": proposals.start_of(today),
        "ends_at": proposals.end_of(today + timedelta(days=90)),
        "conditions": frozenset({"Only by people who signed the house rules."}),
    }
    return Terms(**parts | changes)


def filled(ground, **changes):
    """Give what the page of an offer or a question sends."""
    return {
        "case": ground.case.code,
        "kvk_number": ground.case.organisation.kvk_number,
        "purposes": ["training"],
        "product": "model_api",
        "place": "shared",
        "duties": ["delete"],
        "ends_on": str(timezone.localdate() + timedelta(days=30)),
        "conditions": "",
    } | changes
