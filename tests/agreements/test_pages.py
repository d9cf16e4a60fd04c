"""The pages on which people offer, ask, read, sign and answer."""

import re

import pytest
from django.test import Client
from django.utils import timezone

from fabriek.agreements import actions
from fabriek.agreements.models import Agreement
from fabriek.agreements.states import AgreementState as S
from fabriek.agreements.traces import Statement
from fabriek.agreements.wording import written
from fabriek.cases.models import Case
from fabriek.cases.states import CaseState
from fabriek.store.models import Repository
from tests.agreements.ground import a_ground, filled, some_terms
from tests.factories import a_case, a_partner, a_person, an_organisation, staff

pytestmark = pytest.mark.django_db

# Session, person, memberships and duties: what any page of a signed-in person costs.
ANY_PAGE = 4
TOKEN = re.compile(r"[A-Za-z0-9]{64}")  # against forged forms: another on each page


@pytest.fixture
def ground():
    return a_ground()


def offer_page(ground):
    return f"/data/{ground.dataset.code}/agreements/offer/"


def ask_page(ground):
    return f"/agreements/ask/?data={ground.dataset.code}"


def page_of(agreement):
    return f"/agreements/{agreement.code}/"


def first_sentence(page):
    return re.search(r'next__sentence">([^<]*)<', page.text)[1]


def sent(client, address, given):
    """Fill the form in, read the text, and send it back with its hash, as a person does."""
    read = client.post(address, given)
    assert read.status_code == 200, read.text
    return client.post(address, given | {"text_sha256": read.context["sha256"]})


def test_an_owner_offers_reads_the_text_and_signs_it(browser, ground):
    client = browser(ground.owner)
    read = client.post(offer_page(ground), filled(ground))
    assert "AGREEMENT ON THE USE OF DATA" in read.text
    assert not Agreement.objects.exists()

    answer = sent(client, offer_page(ground), filled(ground))

    made = Agreement.objects.get()
    assert (answer.status_code, answer.url) == (302, page_of(made))
    assert (made.state, made.text) == (S.OFFERED, read.context["text"])
    assert made.signatures.get().person == ground.owner


def test_going_back_from_the_text_keeps_what_was_typed(browser, ground):
    page = browser(ground.owner).post(
        offer_page(ground), filled(ground, conditions="Mind this.", back="1")
    )

    assert page.status_code == 200
    assert "Mind this." in page.text
    assert "Read the text" in page.text


def test_a_text_that_changed_since_it_was_read_is_shown_again(browser, ground):
    client = browser(ground.owner)
    read = client.post(offer_page(ground), filled(ground))
    Repository.objects.update(title="Renamed")

    again = client.post(
        offer_page(ground), filled(ground) | {"text_sha256": read.context["sha256"]}
    )

    assert "The text changed since you read it" in again.text
    assert "Renamed" in again.text
    assert not Agreement.objects.exists()


def test_anybody_of_a_case_asks_and_the_owner_signs_with_one_click(browser, ground):
    answer = sent(browser(ground.asker), ask_page(ground), filled(ground))
    made = Agreement.objects.get()
    assert answer.url == page_of(made)

    page = browser(ground.owner).get(page_of(made))
    assert made.text.splitlines()[0] in page.text
    signed = browser(ground.owner).post(
        f"{page_of(made)}sign", {"text_sha256": made.text_sha256}, follow=True
    )

    assert "The agreement is in force." in signed.text
    made.refresh_from_db()
    assert made.state == S.IN_FORCE


@pytest.mark.parametrize(
    ("changes", "said"),
    [
        ({"purposes": []}, "This field is required."),
        ({"ends_on": "2020-01-01"}, "This day is over."),
        ({"ends_on": "9999-12-31"}, "ten years at most"),
        ({"ends_on": "12345-01-01"}, "Enter a valid date."),
        ({"conditions": "a\x00b"}, "Null characters are not allowed."),
        ({"conditions": "a\u202eb"}, "cannot be shown"),
        ({"conditions": "x" * 5001}, "at most 5000 characters"),
        ({"product": "everything"}, "Select a valid choice."),
    ],
)
def test_what_is_wrong_stands_beside_its_field(browser, ground, changes, said):
    page = browser(ground.owner).post(offer_page(ground), filled(ground, **changes))

    assert page.status_code == 422
    assert said in page.text


def test_a_case_is_found_only_by_code_and_organisation_together(browser, ground):
    """Else an owner could go through all codes and read whose cases there are."""
    other = a_case(title="Utterly secret")
    draft = a_case(state="draft", organisation=ground.case.organisation)
    client = browser(ground.owner)
    pages = [
        client.post(offer_page(ground), filled(ground, **wrong))
        for wrong in (
            {"case": "C26-9999"},
            {"case": other.code},
            {"kvk_number": "87654321"},
            {"case": draft.code},
        )
    ]

    said = [page.context["form"].errors["case"] for page in pages]
    assert said == [said[0]] * 4
    assert "There is no open case with this code" in str(said[0])


def test_no_page_of_the_owner_names_what_a_case_is_about(browser, ground):
    client = browser(ground.owner)
    pages = [
        client.get(offer_page(ground)),
        client.post(offer_page(ground), filled(ground)),
        sent(client, offer_page(ground), filled(ground)),
    ]
    made = Agreement.objects.get()
    pages += [client.get(address) for address in (
        page_of(made), "/agreements/", f"/data/{ground.dataset.code}/agreements/",
        f"{page_of(made)}odrl", "/",
    )]  # fmt: skip

    assert not [page for page in pages if b"A secret plan" in page.content]


def test_an_organisation_outside_the_case_is_as_unknown_as_none(browser, ground):
    outside = an_organisation()
    client = browser(ground.owner)
    said = [
        str(
            client.post(offer_page(ground), filled(ground, named=number))
            .context["form"]
            .errors["named"]
        ).replace(number, "?")
        for number in (outside.kvk_number, "99999999")
    ]

    assert said[0] == said[1]


def test_named_organisations_are_written_in_the_text(browser, ground):
    partner = a_partner(ground.case)
    number = partner.organisation.kvk_number

    sent(browser(ground.owner), offer_page(ground), filled(ground, named=f" {number}, "))

    made = Agreement.objects.get()
    assert [each.kvk_number for each in made.organisations.all()] == [number]
    lead, case = ground.case.organisation, ground.case.code
    leading = f"Only {lead.name} (KvK {lead.kvk_number}), which leads case {case}"
    assert f"{leading}, and: {partner.organisation.name} (KvK {number})." in made.text


def test_a_text_that_names_only_who_leads_the_case_names_nobody_beside(ground):
    lead = ground.case.organisation
    proposal = ground.proposal(named=(lead,), language="en")
    old = written(proposal.subject, proposal.terms, language="en", version="2026-2")

    assert f"which leads case {ground.case.code}. Other" in proposal.text()
    assert f"Only: {lead.name} (KvK {lead.kvk_number}). Other" in old


def test_who_has_nothing_to_do_reads_for_whom_it_waits_and_what_is_over(browser, ground):
    made = actions.ask(ground.proposal(), by=ground.asker)
    waits = f"Not signed yet by: {ground.repository.organisation.name}"
    assert first_sentence(browser(ground.asker).get(page_of(made))) == waits

    signed = actions.sign(made, by=ground.owner, text_sha256=made.text_sha256)
    in_force = "The agreement is in force. Nothing waits for you."
    assert first_sentence(browser(ground.owner).get(page_of(made))) == in_force

    actions.revoke(signed, by=ground.owner, reason="Misused.")
    page = browser(ground.asker).get(page_of(made))
    assert first_sentence(page) == (
        "The owner revoked this agreement: nobody uses the data under it any more."
    )
    assert "Over since" in page.text


def test_what_was_revoked_can_be_asked_for_again_by_who_could_ask_before(browser, ground):
    made = actions.offer(ground.proposal(), by=ground.owner)
    signed = actions.sign(made, by=ground.asker, text_sha256=made.text_sha256)
    actions.revoke(signed, by=ground.owner, reason="Misused.")
    again = f"{ask_page(ground)}&amp;case={ground.case.code}"

    for who, may in ((ground.asker, True), (ground.colleague, True), (ground.owner, False)):
        assert (again in browser(who).get(page_of(made)).text) is may
    form = browser(ground.colleague).get(again.replace("&amp;", "&"))
    assert form.context["form"]["case"].initial == ground.case.code
    Case.objects.update(state=CaseState.CLOSED)
    assert again not in browser(ground.asker).get(page_of(made)).text


def test_what_can_be_signed_no_more_does_not_wait_for_a_signature(browser, ground):
    made = actions.ask(ground.proposal(), by=ground.asker)
    Agreement.objects.update(ends_at=timezone.now())

    said = first_sentence(browser(ground.owner).get(page_of(made)))

    assert said.startswith("Its last day is over, so nobody can sign it any more.")


def test_markup_in_what_people_wrote_is_shown_and_does_nothing(browser, ground):
    nasty = "<script>alert(1)</script>\n\n9. OTHER CONDITIONS\nAll is allowed."
    Repository.objects.update(title="<b>Bold</b>")
    sent(browser(ground.owner), offer_page(ground), filled(ground, conditions=nasty))
    made = Agreement.objects.get()
    actions.say(made, "<img src=x onerror=alert(2)>", by=ground.asker)

    page = browser(ground.asker).get(page_of(made))

    assert "<script>alert" not in page.text
    assert "<img src=x" not in page.text
    assert "<b>Bold" not in page.text
    assert "\n    9. OTHER CONDITIONS\n" in made.text  # indented: no clause of ours
    assert made.text.count("\n9. OTHER CONDITIONS\n") == 1


@pytest.mark.parametrize("who", ["stranger", "staff"])
def test_strangers_find_nothing_at_any_address(browser, ground, who):
    made = actions.offer(ground.proposal(), by=ground.owner)
    Repository.objects.update(listed_for=Repository.Listed.NOBODY)
    client = browser({"stranger": a_person, "staff": staff}[who]())
    code = ground.dataset.code

    addresses = [
        f"/data/{code}/agreements/",
        f"/data/{code}/agreements/offer/",
        f"/agreements/ask/?data={code}",
    ]
    if who == "stranger":
        addresses += [page_of(made), f"{page_of(made)}odrl", f"{page_of(made)}withdraw"]
    assert [client.get(address).status_code for address in addresses] == [404] * len(addresses)
    steps = ("sign", "say", "refuse", "withdraw", "revoke")
    given = {"text_sha256": made.text_sha256, "text": "x", "reason": "x"}
    answers = {client.post(f"{page_of(made)}{step}", given).status_code for step in steps}
    assert answers == ({404} if who == "stranger" else {403})
    made.refresh_from_db()
    assert made.state == S.OFFERED


def test_who_is_not_signed_in_is_led_to_the_door(ground):
    made = actions.offer(ground.proposal(), by=ground.owner)

    for address in ("/agreements/", page_of(made), ask_page(ground), offer_page(ground)):
        assert Client().get(address).url.startswith("/accounts/login/")


def test_an_unlisted_dataset_is_answered_as_one_that_does_not_exist(browser, ground):
    Repository.objects.update(listed_for=Repository.Listed.NOBODY)
    client = browser(ground.asker)

    codes = (ground.dataset.code, "D26-9999")
    unlisted, unknown = (client.get(f"/agreements/ask/?data={code}") for code in codes)

    assert (unlisted.status_code, unknown.status_code) == (404, 404)
    said = [TOKEN.sub("", unlisted.text.replace(*codes)), TOKEN.sub("", unknown.text)]
    assert said[0] == said[1]


def test_staff_see_the_terms_and_not_the_talk(browser, ground):
    made = actions.ask(ground.proposal(), by=ground.asker)
    actions.say(made, "Our secret question", by=ground.owner)
    actions.refuse(made, by=ground.owner, reason="Our secret reason")

    page = browser(staff()).get(page_of(made))

    assert made.text.splitlines()[0] in page.text
    assert "secret" not in page.text
    assert "What the parties write to each other is theirs." in page.text


def test_signing_a_stale_text_is_refused_in_words(browser, ground):
    made = actions.offer(ground.proposal(), by=ground.owner)

    page = browser(ground.asker).post(f"{page_of(made)}sign", {"text_sha256": "0" * 64})

    assert page.status_code == 409
    assert "The text is not the one that you read" in page.text


def test_a_reason_that_lacks_is_asked_for_beside_its_box(browser, ground):
    made = actions.offer(ground.proposal(), by=ground.owner)

    page = browser(ground.asker).post(f"{page_of(made)}refuse", {"reason": ""})

    assert page.status_code == 422
    assert "One thing needs mending" in page.text
    made.refresh_from_db()
    assert made.state == S.OFFERED


def test_a_question_stands_in_the_one_timeline(browser, ground):
    made = actions.offer(ground.proposal(), by=ground.owner)

    page = browser(ground.colleague).post(
        f"{page_of(made)}say", {"text": "May we see a sample?"}, follow=True
    )

    assert page.context["timeline"][0].note == "May we see a sample?"


def test_other_terms_begin_with_the_old_ones_filled_in(browser, ground):
    asked = actions.ask(ground.proposal(), by=ground.asker)
    client = browser(ground.owner)
    steps = {step.name: step for step in client.get(page_of(asked)).context["steps"]}
    address = steps["change"].url
    assert address == f"{offer_page(ground)}?replaces={asked.code}"

    form = client.get(address).context["form"]
    assert form.initial["purposes"] == ["evaluation", "training"]
    given = filled(ground, purposes=["statistics"])
    sent(client, address, given)

    asked.refresh_from_db()
    newer = Agreement.objects.get(replaces=asked)
    assert (asked.state, newer.purposes, newer.case) == (
        S.REPLACED,
        ["statistics"],
        ground.case,
    )
    assert newer.code in client.get(page_of(asked)).text


def test_withdrawing_asks_first(browser, ground):
    made = actions.offer(ground.proposal(), by=ground.owner)
    client = browser(ground.owner)

    assert "Take this back?" in client.get(f"{page_of(made)}withdraw").text
    client.post(f"{page_of(made)}withdraw")

    made.refresh_from_db()
    assert made.state == S.WITHDRAWN


def test_revoking_tells_first_what_then_happens(browser, ground):
    made = actions.offer(ground.proposal(), by=ground.owner)
    actions.sign(made, by=ground.asker, text_sha256=made.text_sha256)
    client = browser(ground.owner)
    assert "What then happens" in client.get(page_of(made)).text

    page = client.post(f"{page_of(made)}revoke", {"reason": "Terms broken."}, follow=True)

    assert "Why it was revoked" in page.text
    assert "Terms broken." in page.text


def test_what_waits_for_my_signature_stands_first(browser, ground):
    waiting = actions.ask(ground.proposal(), by=ground.asker)
    for _ in range(3):
        other = a_ground()
        mine = a_case(lead=ground.owner, organisation=ground.repository.organisation)
        actions.ask(other.proposal(case=mine), by=ground.owner)

    page = browser(ground.owner).get("/agreements/")

    rows = [row for row, _purposes in page.context["rows"]]
    assert rows[0] == waiting
    assert [row.waits for row in rows] == [1, 0, 0, 0]


def many(ground, count):
    for number in range(count):
        terms = some_terms(conditions=frozenset({f"Number {number}."}))
        made = actions.offer(ground.proposal(terms=terms), by=ground.owner)
        actions.sign(made, by=ground.asker, text_sha256=made.text_sha256)


@pytest.mark.parametrize("count", [1, 3])
def test_lists_cost_the_same_for_1_and_3(browser, ground, django_assert_num_queries, count):
    many(ground, count)
    client = browser(ground.owner)

    with django_assert_num_queries(ANY_PAGE + 1):
        page = client.get("/agreements/")
    with django_assert_num_queries(ANY_PAGE + 3):  # the line of stations is one
        tab = client.get(f"/data/{ground.dataset.code}/agreements/")

    assert len(page.context["rows"]) == len(tab.context["rows"]) == count


@pytest.mark.parametrize("count", [1, 3])
def test_the_page_costs_the_same_whoever_signed_and_wrote(
    browser, ground, django_assert_num_queries, count
):
    for _ in range(count - 1):
        a_partner(ground.case)
    named = tuple(partner.organisation for partner in ground.case.partners.all())
    made = actions.offer(ground.proposal(named=named), by=ground.owner)
    for number in range(count):
        actions.say(made, f"Question {number}", by=ground.colleague)
    client = browser(ground.asker)

    with django_assert_num_queries(ANY_PAGE + 7):
        page = client.get(page_of(made))

    assert len(page.context["parties"]) == count + 1


def test_the_words_of_odrl_are_explained_to_everybody():
    page = Client().get("/agreements/terms/", headers={"Accept": "text/html"})
    told = Client().get("/agreements/terms/", headers={"Accept": "application/ld+json"})

    assert 'id="environment"' in page.text
    names = {each["@id"].rpartition("#")[2] for each in told.json()["skos:hasTopConcept"]}
    assert {"environment", "outputRelease", "secure", "model_api", "reviewOutput"} <= names


def test_the_policy_is_fetched_as_a_file(browser, ground):
    made = actions.offer(ground.proposal(), by=ground.owner)

    answer = browser(ground.colleague).get(f"{page_of(made)}odrl")

    assert answer["Content-Type"] == "application/ld+json"
    assert answer.json()["fabriek:textSha256"] == made.text_sha256


def test_a_translation_stays_with_what_was_signed_whatever_the_owner_renames(browser, ground):
    made = actions.offer(ground.proposal(), by=ground.owner)
    client = browser(ground.asker, language="nl")

    Repository.objects.update(title="Renamed")
    page = client.get(page_of(made)).text

    said = page.partition('<pre class="signed-text" lang="nl"')[2]
    assert "OVEREENKOMST OVER HET GEBRUIK" in said
    assert made.repository.title in said
    assert "Renamed" not in said.partition("</pre>")[0]


def test_an_older_text_is_translated_only_as_long_as_it_says_the_same(browser, ground):
    made = actions.offer(ground.proposal(), by=ground.owner)
    Agreement.objects.update(translation="")
    client = browser(ground.asker, language="nl")
    assert "OVEREENKOMST OVER HET GEBRUIK" in client.get(page_of(made)).text

    Repository.objects.update(title="Renamed")

    assert "OVEREENKOMST OVER HET GEBRUIK" not in client.get(page_of(made)).text


def test_the_statement_of_deletion_is_led_to_once_there_is_one(browser, ground):
    made = actions.offer(ground.proposal(), by=ground.owner)
    made = actions.sign(made, by=ground.asker, text_sha256=made.text_sha256)
    actions.revoke(made, by=ground.owner, reason="Broken.")
    client = browser(ground.asker)
    assert "Read the statement" not in client.get(page_of(made)).text

    Statement.objects.create(agreement=made, facts={}, sha256="", seal="")

    assert "Read the statement" in client.get(page_of(made)).text
    assert "Read the statement" not in browser(staff()).get(page_of(made)).text


@pytest.mark.parametrize(
    "address",
    [
        "/agreements/?q=%00&state=%00&page=-1",
        "/agreements/?q=%27%3B--&page=99999999999999999999999",
        "/agreements/?state=in_force&page=x",
    ],
)
def test_odd_words_in_an_address_do_no_harm(browser, ground, address):
    actions.offer(ground.proposal(), by=ground.owner)

    assert browser(ground.owner).get(address).status_code == 200


@pytest.mark.parametrize(
    "address",
    [
        "/agreements/ask/?data=%00",
        f"/agreements/ask/?data={'x' * 5000}",
        "/agreements/G26-9999/",
        "/agreements/G26-9999/odrl",
        "/data/D26-9999/agreements/",
        "/data/D26-9999/agreements/offer/",
    ],
)
def test_what_does_not_exist_is_not_found(browser, ground, address):
    assert browser(ground.owner).get(address).status_code == 404


def test_what_is_no_step_is_not_found(browser, ground):
    made = actions.offer(ground.proposal(), by=ground.owner)
    client = browser(ground.owner)

    for step in ("conclude", "end", "replace", "change", "offer"):
        assert client.post(f"{page_of(made)}{step}").status_code == 404


def test_an_agreement_of_others_is_not_replaced(browser, ground):
    other = a_ground()
    foreign = actions.ask(other.proposal(), by=other.asker)
    client = browser(ground.owner)

    for code in (foreign.code, "%00"):
        page = client.post(f"{offer_page(ground)}?replaces={code}", filled(ground))
        assert page.status_code == 404


def test_a_form_without_the_sign_of_our_own_page_signs_nothing(ground):
    made = actions.offer(ground.proposal(), by=ground.owner)
    client = Client(enforce_csrf_checks=True)
    client.force_login(
        ground.asker, backend="allauth.account.auth_backends.AuthenticationBackend"
    )

    answer = client.post(f"{page_of(made)}sign", {"text_sha256": made.text_sha256})

    assert answer.status_code == 403
    made.refresh_from_db()
    assert made.state == S.OFFERED


def test_a_link_alone_signs_and_ends_nothing(browser, ground):
    made = actions.offer(ground.proposal(), by=ground.owner)
    client = browser(ground.owner)

    for step in ("sign", "say", "refuse", "withdraw", "revoke"):
        client.get(f"{page_of(made)}{step}?text_sha256={made.text_sha256}&reason=x")

    made.refresh_from_db()
    assert (made.state, made.signatures.count()) == (S.OFFERED, 1)


def test_a_member_of_the_owner_is_told_who_may_offer(browser, ground):
    page = browser(ground.clerk).get(offer_page(ground))

    assert page.status_code == 403
    assert "Only a lead of the organisation that owns this data" in page.text


def test_who_may_find_a_dataset_is_led_to_asking_for_it(browser, ground):
    page = browser(ground.asker).get(f"/data/{ground.dataset.code}/agreements/")

    assert f"/agreements/ask/?data={ground.dataset.code}" in page.text
    assert ground.dataset.case.title not in page.text
