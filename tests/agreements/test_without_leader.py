"""An owner lends to members of a consortium by name, and leaves out who leads its case."""

import pytest

from fabriek.agreements import actions, circles, odrl, policy, proposals, queries, rules
from fabriek.agreements import wording as wordings
from fabriek.agreements.forms import OfferForm
from fabriek.agreements.models import Agreement
from fabriek.agreements.odrl_reading import About, terms_in
from fabriek.agreements.states import AgreementState as S
from fabriek.kernel.errors import Invalid, NotAllowed, Refused
from fabriek.store.models import Repository
from tests.agreements.ground import a_ground, filled
from tests.agreements.policy_world import a_policy_world, passed_on
from tests.factories import a_model, a_partner, a_person, an_organisation

pytestmark = pytest.mark.django_db
TERMS = ("purposes", "product", "place", "ends_on")


@pytest.fixture
def ground():
    return a_ground()


@pytest.fixture
def member(ground):
    person = a_person()
    a_partner(ground.case, organisation=an_organisation(lead=person, name="Only Partners"))
    return person


def firm_of(person):
    return person.memberships.get().organisation


def offered(ground, member):
    proposal = ground.proposal(named=(firm_of(member),), with_leader=False)
    return actions.offer(proposal, by=ground.owner)


# --- who is a party ----------------------------------------------------------------------
def test_who_leads_the_case_is_no_party_and_neither_signs_nor_sees(ground, member):
    made = offered(ground, member)

    assert [one.name for one in rules.parties_of(made)] == ["Data Owners", "Only Partners"]
    assert not Agreement.objects.visible_to(ground.asker).exists()
    assert list(queries.awaiting(ground.asker)) == []
    assert list(queries.awaiting(member)) == [made]
    with pytest.raises(NotAllowed):
        actions.sign(made, by=ground.asker, text_sha256=made.text_sha256)
    for step in (actions.refuse, actions.revoke):
        with pytest.raises(NotAllowed):
            step(made, by=ground.asker, reason="No.")
    with pytest.raises(NotAllowed):
        actions.withdraw(made, by=ground.asker)
    assert actions.sign(made, by=member, text_sha256=made.text_sha256).state == S.IN_FORCE


@pytest.mark.parametrize(
    ("language", "words"),
    [
        ("en", "Only: Only Partners ({number}). Model Makers ({leader}), which leads case"),
        ("nl", "Alleen: Only Partners ({number}). Model Makers ({leader}), die casus"),
    ],
)
def test_the_text_says_so(ground, member, language, words):
    proposal = ground.proposal(named=(firm_of(member),), with_leader=False, language=language)
    said = words.format(
        number=firm_of(member).registered_as, leader=ground.case.organisation.registered_as
    )

    assert said in proposal.text()
    parties = proposal.text().split("\n1. ")[0]
    assert "Only Partners" in parties
    assert "Model Makers" not in parties


def test_its_translation_can_still_be_made_from_the_rows(ground, member):
    made = offered(ground, member)
    Agreement.objects.filter(pk=made.pk).update(translation="")
    made.refresh_from_db()

    other = wordings.other(made.language)
    proposal = ground.proposal(named=(firm_of(member),), with_leader=False, language=other)
    assert proposals.translation(made, other) == proposal.text()


def test_nobody_can_be_left_out_where_nobody_is_named(ground):
    with pytest.raises(Invalid) as refused:
        actions.offer(ground.proposal(with_leader=False), by=ground.owner)

    assert refused.value.code == "nobody_named"


def test_nor_who_is_named(ground, member):
    both = (firm_of(member), ground.case.organisation)

    with pytest.raises(Invalid) as refused:
        actions.offer(ground.proposal(named=both, with_leader=False), by=ground.owner)

    assert refused.value.code == "leader_is_named"


def test_a_firm_abroad_is_named_by_its_own_number(ground, program, browser):
    abroad = a_person()
    firm = an_organisation(
        lead=abroad, name="Sprache", kvk_number="", foreign_number="DE811128135", country="DE"
    )
    a_partner(ground.case, organisation=firm)
    told = queries.organisations_told(ground.case, ["de 811 128 135"], to=ground.owner)
    made = actions.offer(
        ground.proposal(named=told, with_leader=False, language="nl"), by=ground.owner
    )

    assert told == (firm,)
    assert "Sprache (btw-nummer DE811128135)" in made.text
    said = odrl.policy_of(made)
    assert said["assignee"][0]["fabriek:foreignNumber"] == "DE811128135"
    terms_in(said, About(users=(firm,)))
    said["assignee"][0]["fabriek:foreignNumber"] = "DE811128136"
    with pytest.raises(Invalid):
        terms_in(said, About(users=(firm,)))
    parties = program(abroad).get(f"/api/agreements/{made.code}").json()["parties"]
    assert parties[1]["foreign_number"] == "DE811128135"
    assert parties[1]["kvk_number"] == ""
    page = browser(abroad).get(f"/agreements/{made.code}/").text
    assert page.count("only how it is written was checked") == 1


# --- ODRL --------------------------------------------------------------------------------
def test_odrl_names_the_parties_and_that_these_are_all(ground, member):
    made = offered(ground, member)

    said = odrl.policy_of(made)

    assert [one["fabriek:name"] for one in said["assignee"]] == ["Only Partners"]
    assert said["fabriek:lentTo"] == "fabriek:namedOnly"
    whom = (firm_of(member),)
    terms_in(said, About(users=whom, lent_to="fabriek:namedOnly"))
    with pytest.raises(Invalid):
        terms_in(said, About(users=whom, lent_to="fabriek:namedWithLeader"))


# --- the doors ---------------------------------------------------------------------------
def test_the_page_offers_the_choice_and_keeps_what_held_by_itself(ground, member):
    number = firm_of(member).kvk_number
    told = {}
    for choice in ("", "with", "without"):
        form = OfferForm(
            filled(ground, named=number, with_leader=choice),
            repository=ground.repository,
            person=ground.owner,
        )
        assert form.is_valid(), form.errors
        told[choice] = form.proposal.with_leader

    assert told == {"": True, "with": True, "without": False}


def test_the_page_says_what_is_wrong_beside_the_field(ground, browser):
    page = f"/data/{ground.dataset.code}/agreements/offer/"
    client = browser(ground.owner)

    answer = client.post(page, filled(ground, with_leader="without"))

    assert answer.status_code == 422
    assert "Name at least one organisation of the case" in answer.text


def test_other_terms_leave_the_leader_out_and_tell_it_that_only(
    ground, member, browser, program
):
    old = actions.offer(ground.proposal(named=(firm_of(member),)), by=ground.owner)
    for person in (ground.asker, member):
        old = actions.sign(old, by=person, text_sha256=old.text_sha256)
    client = browser(ground.owner)
    page = f"/data/{ground.dataset.code}/agreements/offer/?replaces={old.code}"

    form = client.get(page).context["form"]
    assert (form["named"].value(), form["with_leader"].value()) == (
        firm_of(member).register_number,
        "with",
    )
    given = filled(ground, named=form["named"].value(), with_leader="without")
    del given["case"], given["kvk_number"]
    read = client.post(page, given).context["sha256"]
    client.post(page, given | {"text_sha256": read})

    new = Agreement.objects.get(replaces=old)
    old.refresh_from_db()
    assert (old.state, [one.organisation.name for one in new.signatures.all()]) == (
        S.IN_FORCE,
        ["Data Owners"],
    )
    assert new.code not in browser(ground.asker).get(f"/agreements/{old.code}/").text
    actions.sign(new, by=member, text_sha256=new.text_sha256)

    old.refresh_from_db()
    assert (old.state, new.code in client.get(f"/agreements/{old.code}/").text) == (
        S.REPLACED,
        True,
    )
    # Who was left out keeps what it signed to read, and is told of the other text only that.
    left_out = browser(ground.asker).get(f"/agreements/{old.code}/").text
    assert "Your organisation is no party to it." in left_out
    assert new.code not in left_out
    told = program(ground.asker).get(f"/api/agreements/{old.code}").json()
    assert (told["replaced_by"], new.code in str(told)) == (None, False)
    with pytest.raises(Refused) as refused:
        actions.sign(old, by=ground.asker, text_sha256=old.text_sha256)
    assert new.code not in str(refused.value)
    wish = {"moment": policy.Moment.READ, "repository": ground.repository}
    for person, allowed in ((member, True), (ground.asker, False)):
        would = policy.would(policy.Wish(**wish, on_behalf_of=person, case=ground.case))
        assert would.allowed == allowed


def test_who_is_added_by_other_terms_reads_these_only(ground, member, program):
    old = actions.offer(ground.proposal(named=(ground.case.organisation,)), by=ground.owner)
    both = (ground.case.organisation, firm_of(member))

    new = actions.offer(ground.proposal(named=both, replaces=old), by=ground.owner)

    told = program(member).get(f"/api/agreements/{new.code}").json()
    assert (told["replaces"], old.code in str(told)) == (None, False)
    owner = program(ground.owner).get(f"/api/agreements/{new.code}").json()
    assert owner["replaces"] == old.code


def test_of_one_story_only_the_last_offer_can_be_signed(ground, member):
    firm = ground.case.organisation
    old = actions.offer(ground.proposal(named=(firm,)), by=ground.owner)
    old = actions.sign(old, by=ground.asker, text_sha256=old.text_sha256)
    wider = ground.proposal(named=(firm, firm_of(member)), replaces=old)
    narrower = ground.proposal(named=(firm_of(member),), with_leader=False, replaces=old)

    first = actions.offer(wider, by=ground.owner)
    actions.offer(narrower, by=ground.owner)

    first.refresh_from_db()
    old.refresh_from_db()
    assert (first.state, old.state) == (S.REPLACED, S.IN_FORCE)


def test_programs_choose_it_too(ground, member, program):
    body = {
        "dataset": ground.dataset.code,
        "case": ground.case.code,
        "kvk_number": ground.case.organisation.kvk_number,
        "named": [firm_of(member).kvk_number],
        "with_leader": False,
        "language": "en",
        "terms": {name: filled(ground)[name] for name in TERMS},
    }
    client = program(ground.owner)
    http = {"content_type": "application/json"}

    read = client.post("/api/agreements/texts", body, **http).json()
    body["text_sha256"] = read["text_sha256"]
    made = client.post("/api/agreements/offers", body, **http).json()

    assert made["with_leader"] is False
    assert [one["name"] for one in made["parties"]] == ["Data Owners", "Only Partners"]
    assert program(ground.asker).get(f"/api/agreements/{made['code']}").status_code == 404
    assert program(ground.asker).get("/api/agreements/").json()["items"] == []


# --- the four moments --------------------------------------------------------------------
@pytest.fixture
def lent():
    """Lend to one partner of a case; `world.user` leads it."""
    world = a_policy_world()
    world.member = a_person()
    world.firm = an_organisation(lead=world.member)
    a_partner(world.using, organisation=world.firm)
    world.agreement = world.agree(organisations=[world.firm], with_leader=False)
    return world


def test_at_each_moment_it_is_for_the_member_and_not_for_the_leader(lent):
    model = a_model(case=lent.using).repository
    passed_on(model, lent.agreement)
    wishes = {
        "see": lent.see,
        "read": lent.read,
        "run": lambda person: lent.run(person=person),
        "behalf": lambda person: lent.run(person=None, on_behalf_of=person),
        "release": lambda person: policy.Wish(
            moment=policy.Moment.RELEASE, repository=model, person=person
        ),
    }

    def told(person):
        return {name: policy.would(wish(person)).code for name, wish in wishes.items()}

    assert told(lent.member) == {
        "see": "party",
        "read": "agreed",
        "run": "agreed",
        "behalf": "agreed",
        "release": "rights_kept",
    }
    assert told(lent.user) == {
        "see": "not_yours",
        "read": "not_named",
        "run": "not_named",
        "behalf": "not_named",
        "release": "not_named",
    }


def test_lists_and_circles_say_the_same(lent):
    assert list(policy.shared_with(lent.user)) == []
    assert list(policy.shared_with(lent.member)) == [lent.repository]
    usable = policy.usable_by(lent.using, asked_by=lent.user)
    assert lent.repository not in usable
    assert lent.repository in policy.usable_by(lent.using, asked_by=lent.member)
    wish = lent.run(person=None)
    assert circles.of(wish).members == frozenset({lent.firm.pk})


def test_what_was_agreed_before_still_means_the_leader_too(lent):
    Agreement.objects.filter(pk=lent.agreement.pk).update(state=S.ENDED)
    lent.agree(organisations=[lent.firm])

    assert policy.would(lent.read(lent.user)).allowed
    assert lent.repository in Repository.objects.filter(
        pk__in=policy.shared_with(lent.user).values("pk")
    )
