"""What the API of agreements takes and gives."""

from datetime import date, datetime
from typing import Any

from ninja import Schema
from pydantic import Field

from fabriek.agreements import queries, rules
from fabriek.agreements.models import Agreement, Duty, Place, Product, Purpose
from fabriek.kernel.steps import NextStep, StepOut
from fabriek.people.models import Organisation


class NamedOut(Schema):
    """`kvk_number` is empty for an organisation that is registered abroad."""

    name: str
    kvk_number: str
    foreign_number: str


class AgreementOut(Schema):
    """`user` leads the case; whether the data is lent to it as well says `with_leader`.

    `waits` is true when it waits for a signature that you can give.
    """

    code: str
    state: str
    dataset: str = Field(alias="repository.code")
    title: str = Field(alias="repository.title")
    owner: str = Field(alias="repository.organisation.name")
    case: str = Field(alias="case.code")
    user: str = Field(alias="case.organisation.name")
    with_leader: bool
    purposes: list[Purpose]
    product: Product
    place: Place
    duties: list[Duty]
    begins_at: datetime
    ends_at: datetime
    waits: bool
    url: str = Field(alias="get_absolute_url")


class PartyOut(NamedOut):
    """`signed_at` is null for who has yet to sign."""

    signed_at: datetime | None


class HappeningOut(Schema):
    at: datetime
    sentence: str
    by: str
    note: str


class AgreementDetailOut(AgreementOut):
    """`text` is what people sign, in `language`; `timeline` tells the newest first."""

    conditions: str
    reason: str
    replaces: str | None
    replaced_by: str | None
    named: list[NamedOut]
    text: str
    language: str
    text_version: str
    text_sha256: str
    in_force_at: datetime | None
    over_at: datetime | None
    parties: list[PartyOut]
    timeline: list[HappeningOut]
    next_steps: list[StepOut]

    @staticmethod
    def resolve_waits(agreement: Agreement, context: dict[str, Any]) -> bool:
        return "sign" in rules.open_steps(context["request"].user, agreement)

    @staticmethod
    def resolve_reason(agreement: Agreement, context: dict[str, Any]) -> str:
        return agreement.reason if rules.is_party(context["request"].user, agreement) else ""

    @staticmethod
    def resolve_replaces(agreement: Agreement, context: dict[str, Any]) -> str | None:
        """Name it to its parties: who was added later was none."""
        if agreement.replaces is None:
            return None
        rows = Agreement.objects.visible_to(context["request"].user)
        is_seen = rows.filter(pk=agreement.replaces.pk).exists()
        return agreement.replaces.code if is_seen else None

    @staticmethod
    def resolve_replaced_by(agreement: Agreement, context: dict[str, Any]) -> str | None:
        found = queries.newer(agreement, context["request"].user)
        return found.code if found else None

    @staticmethod
    def resolve_named(agreement: Agreement) -> list[Organisation]:
        return list(agreement.organisations.all())

    @staticmethod
    def resolve_parties(agreement: Agreement) -> list[PartyOut]:
        signed = {each.organisation_id: each.signed_at for each in agreement.signatures.all()}
        return [
            PartyOut(
                name=party.name,
                kvk_number=party.kvk_number,
                foreign_number=party.foreign_number,
                signed_at=signed.get(party.pk),
            )
            for party in rules.parties_of(agreement)
        ]

    @staticmethod
    def resolve_timeline(agreement: Agreement, context: dict[str, Any]) -> list[Any]:
        return list(queries.timeline(agreement, context["request"].user))

    @staticmethod
    def resolve_next_steps(agreement: Agreement, context: dict[str, Any]) -> list[NextStep]:
        return rules.next_steps(context["request"].user, agreement)


class TermsIn(Schema):
    """`ends_on` is the last day on which the data may be used."""

    purposes: list[Purpose] = Field(max_length=20)
    product: Product
    place: Place
    duties: list[Duty] = Field(default=[], max_length=20)
    ends_on: date
    conditions: str = ""


class TermsOut(Schema):
    purposes: list[Purpose]
    product: Product
    place: Place
    duties: list[Duty]
    begins_at: datetime
    ends_at: datetime
    conditions: list[str]


class ProposalIn(Schema):
    """Terms as such, or as an ODRL policy in our profile: one of the two.

    `kvk_number` is of the organisation that leads the case, or its number abroad; only an offer
    needs it. `named`: such numbers of the only organisations of that case that may use the
    data; none is all. `with_leader`: beside those, who leads the case may use it too.
    `replaces`: the code of an agreement that this one takes the place of.
    """

    dataset: str = Field(max_length=60)
    case: str = Field(max_length=60)
    kvk_number: str = Field(default="", max_length=60)
    named: list[str] = Field(default=[], max_length=50)
    with_leader: bool = True
    terms: TermsIn | None = None
    odrl: dict[str, Any] | None = None
    replaces: str = Field(default="", max_length=60)
    language: str = Field(default="", pattern="^(|nl|en)$")


class BegunIn(ProposalIn):
    """`text_sha256` is of the text that you read: ask for it at `texts`."""

    text_sha256: str = Field(max_length=64)


class TextOut(Schema):
    text: str
    language: str
    text_version: str
    text_sha256: str


class SignIn(Schema):
    text_sha256: str = Field(max_length=64)


class ReasonIn(Schema):
    reason: str = ""


class MessageIn(Schema):
    text: str
