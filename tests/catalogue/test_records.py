import pytest

from fabriek.cases.states import CaseState
from fabriek.catalogue import actions, gaps, queries, told
from fabriek.catalogue.models import Record
from fabriek.kernel.errors import Invalid, NotAllowed, WrongState
from fabriek.kernel.models import Entry
from fabriek.store.models import Repository
from tests.catalogue.conftest import EVERYBODY, MEMBERS, WHOLE, found_by_all, told_of
from tests.datasets.conftest import made, push
from tests.factories import a_partner, a_person, an_organisation
from tests.threads import at_once, many_connections  # noqa: F401  a fixture

pytestmark = pytest.mark.django_db


def missing(dataset, output=gaps.Output.DCAT):
    record = queries.record_of(dataset)
    newest = told.newest_revisions([dataset.repository]).get(dataset.repository_id)
    return gaps.missing_for(record, newest, output)


# --- changing ------------------------------------------------------------------------------
def test_a_record_is_made_when_it_is_first_changed(dataset, lead):
    assert queries.record_of(dataset).pk is None

    actions.edit(dataset, by=lead, changes={"theme": "HEAL"})

    record = Record.objects.get()
    assert (record.theme, record.keywords) == ("HEAL", [])
    entry = Entry.objects.get(verb="catalogue.edit")
    assert (entry.by, entry.thread) == (lead, dataset.case.code)
    assert entry.details == {"code": dataset.code, "changed": ["theme"]}


def test_what_is_not_named_stays_and_nothing_new_is_no_change(dataset, lead):
    told_of(dataset)
    before = Record.objects.get()

    actions.edit(dataset, by=lead, changes={"theme": "HEAL", "keywords": ["zorg", "triage"]})

    after = Record.objects.get()
    assert after.changed_at == before.changed_at
    assert after.contact_email == WHOLE["contact_email"]
    assert Entry.objects.filter(verb="catalogue.edit").count() == 1


def test_texts_are_made_tidy(dataset, lead):
    given = {
        "title_nl": "  Twee\n woorden ",
        "text_nl": "a\r\nb\r\n",
        "keywords": [" a  b", "a b"],
    }

    record = actions.edit(dataset, by=lead, changes=given)

    assert (record.title_nl, record.text_nl, record.keywords) == (
        "Twee woorden",
        "a\nb",
        ["a b"],
    )


@pytest.mark.parametrize(
    ("name", "value"),
    [
        ("theme", "SPORT"),
        ("access", "SECRET"),
        ("frequency", "HOURLY"),
        ("languages", ["xx"]),
        ("languages", "nl"),
        ("keywords", ["w" * 5000]),
        ("keywords", [str(number) for number in range(31)]),
        ("keywords", [1, 2]),
        ("keywords", ["abc\u202edef"]),
        ("title_nl", "abc\u202edef"),
        ("title_nl", "x" * 201),
        ("text_nl", "x" * 5001),
        ("text_en", "\x00"),
        ("contact_email", "no address"),
        ("contact_email", "a@b.nl\nBcc: c@d.nl"),
        ("landing_page", "javascript:alert(1)"),
        ("landing_page", "data:text/html,x"),
        ("landing_page", "https://a b"),
        ("period_from", "yesterday"),
        ("offer_purposes", ["world domination"]),
        ("offer_place", "moon"),
        ("readme_sha256", "0" * 64),
        ("dataset", "1"),
        ("published_at", "2020-01-01"),
    ],
)
def test_what_will_not_do_is_refused_with_its_field(dataset, lead, name, value):
    with pytest.raises(Invalid) as refused:
        actions.edit(dataset, by=lead, changes={name: value})

    assert list(refused.value.fields) == [name]
    assert not Record.objects.filter(stems__isnull=False).exists()
    assert not Entry.objects.filter(verb="catalogue.edit").exists()


def test_a_period_cannot_end_before_it_begins(dataset, lead):
    actions.edit(dataset, by=lead, changes={"period_from": "2024-05-01"})

    with pytest.raises(Invalid) as refused:
        actions.edit(dataset, by=lead, changes={"period_until": "2024-04-30"})

    assert list(refused.value.fields) == ["period_until"]


def test_a_stranger_and_a_closed_case_change_nothing(dataset, lead):
    for stranger in (a_person(), a_person(duty="staff")):
        with pytest.raises(NotAllowed):
            actions.edit(dataset, by=stranger, changes=WHOLE)
        with pytest.raises(NotAllowed):
            actions.list_for(dataset, by=stranger, listed_for=MEMBERS)
        with pytest.raises(NotAllowed):
            actions.fill_from_readme(dataset, "---\nlanguage: nl\n---\n", by=stranger)
        with pytest.raises(NotAllowed):
            actions.write_card(dataset, by=stranger)
    type(dataset.case).objects.filter(pk=dataset.case_id).update(state=CaseState.CLOSED)
    with pytest.raises(WrongState):
        actions.edit(dataset, by=lead, changes=WHOLE)

    assert not Record.objects.exists()


@pytest.mark.django_db(transaction=True)
@pytest.mark.usefixtures("many_connections")
def test_two_who_change_at_once_both_get_theirs(dataset, lead):
    actions.edit(dataset, by=lead, changes={"place": "Utrecht"})

    at_once(
        lambda: actions.edit(dataset, by=lead, changes={"theme": "HEAL"}),
        lambda: actions.edit(dataset, by=lead, changes={"keywords": ["zorg"]}),
    )

    record = Record.objects.get()
    assert (record.theme, record.keywords, record.place) == ("HEAL", ["zorg"], "Utrecht")
    assert {"zorg", "utrecht"} <= set(record.stems.values_list("word", flat=True))


# --- who may find it -------------------------------------------------------------------------
def test_a_lead_of_the_owner_decides_who_finds_it(dataset, lead):
    told_of(dataset)

    found_by_all(dataset)

    assert Repository.objects.get(pk=dataset.repository_id).listed_for == EVERYBODY
    assert Record.objects.get().published_at is not None
    entry = Entry.objects.get(verb="catalogue.list")
    assert (entry.by, entry.details["listed_for"]) == (lead, "everybody")


def test_members_and_leads_of_partners_do_not(dataset):
    told_of(dataset)
    member, partner = a_person(), a_person()
    an_organisation(member=member)
    dataset.case.organisation.memberships.create(person=member, role="member")
    a_partner(dataset.case, lead=partner)

    for person in (member, partner):
        with pytest.raises(NotAllowed, match="Only a lead of the organisation that owns"):
            actions.list_for(dataset, by=person, listed_for=MEMBERS)

    assert Repository.objects.get(pk=dataset.repository_id).listed_for == "nobody"


def test_everybody_finds_it_only_when_other_catalogues_could_take_it_over(dataset, lead):
    with pytest.raises(Invalid) as refused:
        found_by_all(dataset)
    assert sorted(refused.value.fields) == [
        "access",
        "contact_email",
        "contact_name",
        "maker",
        "theme",
    ]
    assert refused.value.code == "record_incomplete"

    found_by_all(dataset, MEMBERS)
    told_of(dataset)
    found_by_all(dataset)

    with pytest.raises(Invalid):
        actions.edit(dataset, by=lead, changes={"theme": ""})
    assert Record.objects.get().theme == "HEAL"


def test_saying_it_twice_is_written_down_once_and_an_unknown_word_is_refused(dataset, lead):
    told_of(dataset)
    found_by_all(dataset)
    first = Record.objects.get().published_at
    found_by_all(dataset)
    actions.list_for(dataset, by=lead, listed_for="nobody")
    found_by_all(dataset)

    assert Entry.objects.filter(verb="catalogue.list").count() == 3
    assert Record.objects.get().published_at == first
    with pytest.raises(Invalid, match="Choose one of: nobody, members, everybody"):
        actions.list_for(dataset, by=lead, listed_for="world")


def test_a_lead_takes_it_back_even_when_the_case_is_closed(dataset, lead):
    told_of(dataset)
    found_by_all(dataset)
    type(dataset.case).objects.filter(pk=dataset.case_id).update(state=CaseState.CLOSED)

    actions.list_for(dataset, by=lead, listed_for="nobody")

    assert Repository.objects.get(pk=dataset.repository_id).listed_for == "nobody"


# --- what is missing -------------------------------------------------------------------------
def test_each_output_says_what_it_still_needs(lead):
    dataset = made(by=lead, description="")

    assert missing(dataset) == [
        "text",
        "theme",
        "maker",
        "contact_name",
        "contact_email",
        "access",
    ]
    assert missing(dataset, gaps.Output.CROISSANT) == ["text", "maker", "files"]
    assert missing(dataset, gaps.Output.CARD) == ["files", "languages"]

    push(dataset, {"a.txt": b"1"})
    told_of(dataset)

    for output in gaps.Output:
        assert missing(dataset, output) == []


def test_the_list_says_how_and_where_what_is_needed_first(dataset):
    found = gaps.gaps(queries.record_of(dataset), None)

    assert [gap.is_must for gap in found] == sorted(
        (gap.is_must for gap in found), reverse=True
    )
    theme = next(gap for gap in found if gap.field == "theme")
    assert theme.url == f"/data/{dataset.code}/record/#id_theme"
    assert theme.outputs == (gaps.Output.DCAT,)
    files = next(gap for gap in found if gap.field == "files")
    assert files.url == f"/data/{dataset.code}/#add"


def test_progress_is_counted_per_output(dataset):
    before = {
        each.output: each.filled for each in gaps.standings(queries.record_of(dataset), None)
    }
    told_of(dataset)
    after = {each.output: each for each in gaps.standings(queries.record_of(dataset), None)}

    assert all(after[output].filled > before[output] for output in gaps.Output)
    assert after[gaps.Output.DCAT].is_valid
    assert not after[gaps.Output.CARD].is_valid
    assert after[gaps.Output.CARD].missing == ("files",)


# --- what binds the owner ------------------------------------------------------------------
OFFER = {"offer_purposes": ["training"], "offer_product": "model_api", "offer_place": "shared"}


def of_a_partner(dataset):
    member = a_person()
    organisation = an_organisation(lead=a_person(), member=member)
    a_partner(dataset.case, organisation=organisation)
    return member


def test_only_a_lead_of_the_owner_says_what_it_agrees_to(dataset, lead, browser, program):
    actions.edit(dataset, by=lead, changes=OFFER)
    member = of_a_partner(dataset)
    wider = {"offer_product": "model_weights"}

    with pytest.raises(NotAllowed, match="lead of the organisation that owns"):
        actions.edit(dataset, by=member, changes=wider)
    answer = program(member).patch(
        f"/api/catalogue/{dataset.code}/record", wider, content_type="application/json"
    )
    page = f"/data/{dataset.code}/record/"
    typed = {"theme": "HEAL", "offer_purposes": ["statistics"], "offer_product": "statistics"}
    saved = browser(member).post(page, typed)

    assert (answer.status_code, saved.status_code) == (403, 302)
    record = Record.objects.get()
    assert {name: getattr(record, name) for name in OFFER} == OFFER
    assert record.theme == "HEAL"
    assert "disabled" in browser(member).get(page).text


def test_an_address_that_cannot_be_read_is_refused_as_a_source(dataset, lead):
    for broken in ("http://[x", "http://a\u2100b/", "https://"):
        with pytest.raises(Invalid) as refused:
            actions.edit(dataset, by=lead, changes={"source": broken})
        assert list(refused.value.fields) == ["source"]
    assert actions.edit(dataset, by=lead, changes={"source": "A book [x"}).source
