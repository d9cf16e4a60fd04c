"""ODRL both ways: what we write is read back as it was, and what is not ours is refused."""

import copy
import json
from datetime import UTC, datetime

import pytest
from django.utils import timezone
from hypothesis import given
from hypothesis import strategies as st
from rdflib import RDF, Graph, Literal, Namespace, URIRef

from fabriek.agreements import actions, odrl
from fabriek.agreements.models import Duty, Place, Product, Purpose
from fabriek.agreements.odrl_reading import About, terms_in
from fabriek.agreements.terms import Terms
from fabriek.kernel.errors import Invalid
from tests.agreements.ground import a_ground, some_terms
from tests.agreements.test_terms import any_terms
from tests.factories import an_organisation

ODRL = Namespace("http://www.w3.org/ns/odrl/2/")
UID, TARGET = "http://localhost:8000/x/1", "http://localhost:8000/data/D26-0001/"


def an_offer(agreed=None, **parts):
    return odrl.offer(agreed or some_terms(), uid=UID, target=TARGET, **parts)


@given(any_terms)
def test_terms_come_back_as_they_went(agreed):
    through_json = json.loads(json.dumps(an_offer(agreed)))

    assert terms_in(through_json) == agreed


conditions = st.text(st.characters(codec="utf-8"), min_size=1)


@given(st.frozensets(conditions, max_size=5))
def test_conditions_in_any_words_come_back_as_they_went(said):
    agreed = some_terms(conditions=said)

    assert terms_in(json.loads(json.dumps(an_offer(agreed)))) == agreed


@given(any_terms, st.sampled_from(["odrl:", str(ODRL)]))
def test_full_and_short_names_mean_the_same(agreed, prefix):
    policy = json.loads(json.dumps(an_offer(agreed)))
    for constraint in policy["permission"][0]["constraint"]:
        constraint["operator"] = f"{prefix}{constraint['operator']}"
    policy["permission"][0]["action"] = f"{prefix}use"

    assert terms_in(policy) == agreed


@pytest.mark.filterwarnings("ignore::DeprecationWarning:rdflib")  # of its own insides
def test_programs_that_know_only_json_ld_read_the_same_graph():
    agreed = some_terms(duties=frozenset(Duty))

    graph = Graph().parse(data=json.dumps(an_offer(agreed)), format="json-ld")

    offer = URIRef(UID)
    fabriek = Namespace(odrl.namespace())
    permission = graph.value(offer, ODRL.permission)
    by_operand = {
        graph.value(each, ODRL.leftOperand): each
        for each in graph.objects(permission, ODRL.constraint)
        if graph.value(each, ODRL.operator) != ODRL.gteq
    }
    assert (offer, RDF.type, ODRL.Offer) in graph
    assert graph.value(permission, ODRL.action) == ODRL.use
    assert graph.value(permission, ODRL.target) == URIRef(TARGET)
    ends = graph.value(by_operand[ODRL.dateTime], ODRL.rightOperand)
    assert ends == Literal(agreed.ends_at)
    assert set(graph.objects(by_operand[ODRL.purpose], ODRL.rightOperand)) == {
        fabriek.training,
        fabriek.evaluation,
    }
    assert set(graph.objects(by_operand[fabriek.environment], ODRL.rightOperand)) == {
        fabriek.shared,
        fabriek.secure,
    }
    duties = {graph.value(each, ODRL.action) for each in graph.objects(permission, ODRL.duty)}
    assert duties == {ODRL.attribute, fabriek.reviewOutput}
    prohibition = graph.value(offer, ODRL.prohibition)
    assert graph.value(prohibition, ODRL.action) == ODRL.distribute
    obligation = graph.value(offer, ODRL.obligation)
    assert graph.value(obligation, ODRL.action) == ODRL.delete


def changed(change):
    policy = copy.deepcopy(an_offer(some_terms(duties=frozenset(Duty))))
    change(policy, policy["permission"][0])
    return policy


def set_(where, key, value):
    where[key] = value


def more(left, operator="eq", right="x"):
    constraint = {"leftOperand": left, "operator": operator, "rightOperand": right}
    return lambda _policy, rule: rule["constraint"].append(constraint)


NOT_OURS = {
    "spatial": more("spatial"),
    "elapsedTime": more("elapsedTime"),
    "fabriek:minRecords": more("fabriek:minRecords"),
    "dateTime": more(
        "dateTime", "lt", {"@type": "xsd:dateTime", "@value": "2030-01-01T00:00Z"}
    ),
    "purpose": more("purpose", "eq", {"@id": "fabriek:training"}),
    "lteq": lambda _policy, rule: set_(rule["constraint"][1], "operator", "lteq"),
    "isNoneOf": lambda _policy, rule: set_(rule["constraint"][2], "operator", "isNoneOf"),
    "https://w3id.org/dpv#Marketing": lambda _policy, rule: set_(
        rule["constraint"][2], "rightOperand", [{"@id": "dpv:Marketing"}]
    ),
    "sell": lambda _policy, rule: set_(rule, "action", "sell"),
    "compensate": lambda _policy, rule: rule["duty"].append({"action": "compensate"}),
    "remedy": lambda policy, _rule: set_(policy["prohibition"][0], "remedy", {}),
    "read": lambda policy, _rule: set_(policy["prohibition"][0], "action", "read"),
    "inform": lambda policy, _rule: set_(policy["obligation"][0], "action", "inform"),
    "inheritFrom": lambda policy, _rule: set_(policy, "inheritFrom", "http://elsewhere"),
    "perm": lambda policy, _rule: set_(policy, "conflict", "perm"),
    "Ticket": lambda policy, _rule: set_(policy, "@type", "Ticket"),
    "http://elsewhere.example/context": lambda policy, _rule: set_(
        policy, "@context", "http://elsewhere.example/context"
    ),
    "use": lambda policy, _rule: set_(
        policy, "@context", policy["@context"] | {"use": "odrl:sell"}
    ),
    "http://elsewhere.example/profile": lambda policy, _rule: set_(
        policy, "profile", "http://elsewhere.example/profile"
    ),
    "part": lambda _policy, rule: set_(rule, "target", {"uid": TARGET, "part": "half"}),
    "Set": lambda policy, _rule: set_(policy, "type", "Set"),
    UID: lambda policy, _rule: set_(policy, "@id", "http://elsewhere.example/1"),
    "5": lambda policy, _rule: set_(policy, "uid", 5),
    "x": lambda policy, _rule: set_(policy, "assigner", {"x": 1}),
    "7": lambda policy, _rule: set_(policy, "fabriek:textSha256", 7),
    "assigner": lambda policy, _rule: set_(policy["prohibition"][0], "assigner", UID),
    "refinement": lambda _policy, rule: set_(rule["constraint"][0], "refinement", {}),
    "assignee": lambda _policy, rule: set_(rule["constraint"][0], "assignee", {}),
    "2030-01-01T00:00": lambda _policy, rule: set_(
        rule["constraint"][1], "rightOperand", "2030-01-01T00:00"
    ),
    "2030-99-01T00:00Z": lambda _policy, rule: set_(
        rule["constraint"][1], "rightOperand", "2030-99-01T00:00Z"
    ),
}


@pytest.mark.parametrize("name", NOT_OURS)
def test_what_is_not_ours_is_refused_by_its_name(name):
    policy = changed(NOT_OURS[name])

    with pytest.raises(Invalid) as refused:
        terms_in(policy)

    assert refused.value.code == "odrl_not_ours"
    assert f"“{name}" in str(refused.value)


@pytest.mark.parametrize(
    "change",
    [
        lambda policy, _rule: policy.pop("permission"),
        lambda policy, rule: policy["permission"].append(rule),
        lambda policy, _rule: policy.pop("@type"),
        lambda _policy, rule: rule["constraint"].pop(0),
        lambda _policy, rule: rule["constraint"].pop(),
        lambda _policy, rule: rule.pop("action"),
        lambda _policy, rule: set_(rule, "constraint", "all"),
        lambda _policy, rule: set_(rule, "constraint", rule["constraint"] * 20),
        lambda _policy, rule: set_(
            rule["constraint"][3], "rightOperand", [{"@id": "fabriek:model_weights"}]
        ),
        lambda _policy, rule: set_(rule["constraint"][4], "rightOperand", []),
        lambda policy, _rule: set_(policy, "fabriek:conditions", [7]),
        lambda policy, _rule: set_(policy["obligation"][0]["constraint"][0], "rightOperand",
                                   "2030-01-01T00:00:00Z"),
    ],
)  # fmt: skip
def test_what_is_missing_or_cannot_be_kept_is_refused(change):
    with pytest.raises(Invalid) as refused:
        terms_in(changed(change))

    assert refused.value.code == "odrl_not_ours"


@given(
    st.recursive(
        st.none() | st.booleans() | st.integers() | st.text(),
        lambda inner: st.lists(inner) | st.dictionaries(st.text(), inner),
    )
)
def test_anything_else_is_refused_and_nothing_breaks(thing):
    with pytest.raises(Invalid):
        terms_in(thing)


@given(st.data())
def test_any_part_replaced_by_anything_is_read_or_refused(data):
    policy = copy.deepcopy(an_offer(some_terms(duties=frozenset(Duty))))
    part = policy
    while isinstance(part, dict | list) and part:
        keys = list(part) if isinstance(part, dict) else list(range(len(part)))
        key = data.draw(st.sampled_from(keys))
        if not isinstance(part[key], dict | list) or data.draw(st.booleans()):
            part[key] = data.draw(
                st.sampled_from([None, 7, "", "x", [], {}, [None], {"@id": "x"}, [[]]])
            )
            break
        part = part[key]
    try:
        terms_in(policy)
    except Invalid as refused:
        said = refused.code
    else:
        said = "odrl_not_ours"
    assert said == "odrl_not_ours"


def test_the_context_of_the_standard_is_known_without_being_fetched():
    policy = an_offer()
    policy["@context"] = ["http://www.w3.org/ns/odrl.jsonld", {"fabriek": odrl.namespace()}]

    assert terms_in(policy) == some_terms()


def test_a_policy_about_other_data_or_another_case_is_refused():
    policy = an_offer() | {"fabriek:case": "C26-0001"}

    assert terms_in(policy, About(dataset="D26-0001", case="C26-0001")) == some_terms()
    for other in ({"dataset": "D26-0002"}, {"case": "C26-0002"}):
        with pytest.raises(Invalid):
            terms_in(policy, About(**other))


@pytest.mark.django_db
def test_each_agreement_is_told_with_its_parties_and_the_text_they_signed():
    ground = a_ground()
    made = actions.offer(ground.proposal(), by=ground.owner)
    offered = odrl.policy_of(made)
    signed = actions.sign(made, by=ground.asker, text_sha256=made.text_sha256)

    policy = odrl.policy_of(signed)

    assert (offered["@type"], policy["@type"]) == ("Offer", "Agreement")
    assert policy["assigner"]["fabriek:name"] == "Data Owners"
    assert [each["fabriek:name"] for each in policy["assignee"]] == ["Model Makers"]
    assert policy["fabriek:textSha256"] == made.text_sha256
    about = About(dataset=ground.dataset.code, case=ground.case.code)
    assert terms_in(policy, about) == some_terms()


@pytest.mark.django_db
def test_what_was_asked_is_a_request():
    ground = a_ground()
    made = actions.ask(ground.proposal(), by=ground.asker)

    assert odrl.policy_of(made)["@type"] == "Request"


def test_every_word_of_ours_is_written():
    """Else a purpose or place that is added later could not be told."""
    widest = Terms(
        purposes=frozenset(Purpose),
        product=Product.MODEL_WEIGHTS,
        place=Place.OPEN,
        duties=frozenset(Duty),
        begins_at=timezone.now(),
        ends_at=datetime(2030, 1, 1, tzinfo=UTC),
    )

    assert terms_in(an_offer(widest)) == widest


def test_a_rule_for_one_party_only_is_refused():
    for name in ("assignee", "assigner"):
        policy = an_offer()
        policy["permission"][0][name] = "https://elsewhere.example/only-them"

        with pytest.raises(Invalid) as refused:
            terms_in(policy)
        assert f"“{name}”" in str(refused.value)


@pytest.mark.django_db
def test_a_policy_between_others_is_refused():
    ground, other = a_ground(), an_organisation()
    policy = odrl.policy_of(actions.offer(ground.proposal(), by=ground.owner))
    owner, user = ground.repository.organisation, ground.case.organisation

    assert terms_in(policy, About(owner=owner, users=(user,))) == some_terms()
    for about in (
        About(owner=other, users=(user,)),
        About(owner=owner, users=(other,)),
        About(owner=owner, users=(user, other)),
        About(owner=owner, users=(owner,)),
    ):
        with pytest.raises(Invalid):
            terms_in(policy, about)
    policy["assignee"][0]["fabriek:name"] = other.name
    with pytest.raises(Invalid):
        terms_in(policy, About(users=(user,)))


@pytest.mark.django_db
def test_what_was_revoked_is_written_with_the_end_that_it_had():
    ground = a_ground()
    made = actions.offer(ground.proposal(), by=ground.owner)
    actions.sign(made, by=ground.asker, text_sha256=made.text_sha256)
    made.refresh_from_db()
    actions.revoke(made, by=ground.owner, reason="No.")
    made.refresh_from_db()

    policy = odrl.policy_of(made)

    assert policy["fabriek:state"] == "revoked"
    assert terms_in(policy).ends_at == made.over_at < some_terms().ends_at
