"""Two cases and an agreement between them: who has data, and who wants to work on it."""

from dataclasses import dataclass
from datetime import timedelta

from django.utils import timezone

from fabriek.agreements.models import Agreement, Inherited
from fabriek.agreements.policy import Moment, Wish
from fabriek.agreements.states import AgreementState
from fabriek.cases.models import Case
from fabriek.datasets.models import Dataset
from fabriek.kernel.codes import give_code
from fabriek.people.models import Person
from fabriek.store.models import Repository
from tests.factories import a_case, a_dataset, a_person, an_organisation

HOUR = timedelta(hours=1)


def an_agreement(repository, case, **fields) -> Agreement:
    """Make an agreement in force, from yesterday until in thirty days, that allows most."""
    firms = fields.pop("organisations", ())
    now = timezone.now()
    defaults = {
        "state": AgreementState.IN_FORCE,
        "purposes": ["training"],
        "product": "model_weights",
        "place": "open",
        "duties": [],
        "begins_at": now - timedelta(days=1),
        "ends_at": now + timedelta(days=30),
        "text_version": "1",
        "text_sha256": "a" * 64,
        "begun_by": case.created_by,
        "in_force_at": now - timedelta(days=1),
    }
    agreement = Agreement.objects.create(repository=repository, case=case, **defaults | fields)
    agreement.organisations.set(firms)
    give_code(agreement, "G")
    return agreement


@dataclass
class World:
    owner: Person
    owning: Case
    dataset: Dataset
    user: Person
    using: Case
    stranger: Person

    @property
    def repository(self) -> Repository:
        return self.dataset.repository

    def agree(self, **fields) -> Agreement:
        return an_agreement(self.repository, self.using, **fields)

    def see(self, person=None) -> Wish:
        return Wish(moment=Moment.SEE, repository=self.repository, person=person or self.user)

    def read(self, person=None, **more) -> Wish:
        person = person or self.user
        return Wish(moment=Moment.READ, repository=self.repository, person=person, **more)

    def lay_out(self, **more) -> Wish:
        """Let the factory lay it out for a job of the case."""
        return Wish(
            moment=Moment.READ, repository=self.repository, **{"case": self.using} | more
        )

    def run(self, **more) -> Wish:
        wanted = {
            "person": self.user,
            "case": self.using,
            "purpose": "training",
            "makes": "model_api",
            "until": timezone.now() + HOUR,
        }
        return Wish(moment=Moment.RUN, repository=self.repository, **wanted | more)


def a_policy_world(**repository) -> World:
    owner, user, stranger = a_person(), a_person(), a_person()
    owning, using = a_case(lead=owner), a_case(lead=user)
    an_organisation(lead=stranger)
    dataset = a_dataset(case=owning)
    named = {"code": dataset.code, "title": dataset.title} | repository
    Repository.objects.filter(pk=dataset.repository_id).update(**named)
    dataset.repository.refresh_from_db()
    return World(
        owner=owner,
        owning=owning,
        dataset=dataset,
        user=user,
        using=using,
        stranger=stranger,
    )


def passed_on(repository, agreement, **fields) -> Inherited:
    return Inherited.objects.create(repository=repository, agreement=agreement, **fields)
