"""What is mailed, to whom, and what happens when the mail server or a letter breaks."""

from datetime import timedelta
from smtplib import SMTPRecipientsRefused

import pytest
from django.core import mail
from django.core.mail.backends.locmem import EmailBackend
from django.utils import timezone
from django.utils.translation import override

from fabriek.access import verdicts
from fabriek.access.states import ApplicationState
from fabriek.cases import actions as cases
from fabriek.kernel import journal
from fabriek.kernel.errors import Refused
from fabriek.kernel.models import Entry
from fabriek.notices import letters, post
from fabriek.notices.models import Watermark
from fabriek.people import actions as people
from fabriek.people.models import Duty
from fabriek.registry import actions as registry
from fabriek.runs.states import RUN, RunState
from tests.factories import (
    a_case,
    a_mode,
    a_model,
    a_partner,
    a_person,
    a_run,
    an_allocation,
    an_application,
    an_assessor,
    an_organisation,
    staff,
)

pytestmark = pytest.mark.django_db


@pytest.fixture(autouse=True)
def mailer_stands_ready(settings):
    settings.FACTORY_URL = "https://factory.example"
    post.tick()


def settle():
    """Let every entry be old enough to be mailed about."""
    Entry.objects.update(at=timezone.now() - 2 * post.SETTLING)


def deliver():
    settle()
    Watermark.objects.update(busy_until=timezone.now())
    post.tick()
    return mail.outbox


def recipients():
    return [letter.to for letter in mail.outbox]


def written(verb, subject):
    return journal.record(verb, subject, by=None)


# --- each letter -------------------------------------------------------------------------
def test_who_is_asked_to_join_an_organisation_gets_a_mail():
    lead = a_person()
    organisation = an_organisation(lead=lead, name="Zorgdesk B.V.")
    people.invite_member(organisation, "new@example.org", role="member", by=lead)

    (letter,) = deliver()

    assert letter.to == ["new@example.org"]
    assert letter.subject == "[Fabriek] Zorgdesk B.V. vraagt u om mee te doen"
    assert "https://factory.example/people/" in letter.body


@pytest.mark.parametrize(
    ("first_day", "subject", "said"),
    [(-1, "staan open", "gebruiken tot en met"), (7, "zijn toegekend", "gebruiken van")],
)
def test_gpu_hours_are_called_open_only_from_their_first_day(first_day, subject, said):
    today = timezone.localdate()
    days = {"starts_on": today + timedelta(first_day), "ends_on": today + timedelta(30)}
    lead = a_person()
    case = a_case(organisation=an_organisation(lead=lead))
    written("allocations.grant", an_allocation(case=case, **days))

    (letter,) = deliver()

    assert letter.subject == f"[Fabriek] De GPU-uren van {case.code} {subject}"
    assert said in letter.body


def test_the_leads_of_an_organisation_hear_that_it_is_invited_to_a_case():
    case, lead, second = a_case(title="Kortere wachttijd"), a_person(), a_person()
    asked = an_organisation(lead=lead, member=a_person(), name="Hogeschool Noord")
    people_leads = asked.memberships.create(person=second, role="lead")
    partner = cases.invite(case, asked, part="expert", by=case.created_by)

    found = deliver()

    assert sorted(letter.to[0] for letter in found) == sorted(
        [lead.email, people_leads.person.email]
    )
    assert "vraagt Hogeschool Noord om mee te doen" in found[0].subject
    assert "“Kortere wachttijd”" in found[0].body
    assert f"https://factory.example/cases/invitations/{partner.pk}/" in found[0].body


def test_an_invitation_that_is_repeated_is_mailed_again():
    case, lead = a_case(), a_person()
    partner = a_partner(case, organisation=an_organisation(lead=lead), state="declined")
    cases.invite_again(partner, by=case.created_by)

    deliver()

    assert recipients() == [[lead.email]]


def test_staff_hears_of_an_application_and_then_the_assessors():
    clerk, assessor = staff(), an_assessor()
    application = an_application(state=ApplicationState.SUBMITTED)
    written("access.submit", application)
    deliver()
    verdicts.find_eligible(application, by=clerk)

    first, second = deliver()

    assert (first.to, second.to) == ([clerk.email], [assessor.email])
    assert first.subject == f"[Fabriek] Aanvraag {application.code} is ingediend"
    assert f"https://factory.example/applications/{application.code}/" in first.body
    assert application.code in second.subject


def test_the_leads_hear_that_there_is_a_decision_but_not_which_one():
    application = an_application(state=ApplicationState.SUBMITTED)
    clerk = staff()
    verdicts.find_ineligible(application, by=clerk, reasons="Outside Europe.")

    (letter,) = deliver()

    assert letter.to == [application.case.created_by.email]
    assert "Outside Europe" not in letter.body
    assert application.code in letter.subject


def test_the_leads_hear_that_an_application_came_back():
    application = an_application(state=ApplicationState.SUBMITTED)
    verdicts.send_back(application, by=staff(), reasons="Say more about the data.")

    (letter,) = deliver()

    assert letter.to == [application.case.created_by.email]
    assert letter.subject == f"[Fabriek] Aanvraag {application.code} kwam bij u terug"


@pytest.mark.parametrize("step", ["fail", "lose"])
def test_who_asked_for_a_run_hears_that_it_did_not_end_well(step):
    run = a_run(state=RunState.RUNNING)
    RUN.take(step, run, by=None)

    (letter,) = deliver()

    assert letter.to == [run.asked_by.email]
    assert letter.subject == f"[Fabriek] Run {run.code} is niet goed afgelopen"
    assert f"https://factory.example/runs/{run.code}" in letter.body


@pytest.mark.parametrize(
    ("verb", "reviewed", "duty"),
    [
        ("access.find_feasible", True, "assessor"),
        ("access.find_feasible", False, "staff"),
        ("access.doubt", True, "staff"),
        ("access.accept", False, "staff"),
    ],
)
def test_who_is_next_in_the_assessment_gets_a_mail(verb, reviewed, duty):
    people = {"staff": staff(), "assessor": an_assessor()}
    application = an_application(
        mode=a_mode("other", selection="review" if reviewed else "fifo")
    )
    written(verb, application)

    (letter,) = deliver()

    assert letter.to == [people[duty].email]
    assert application.code in letter.subject


def test_the_leads_hear_that_their_gpu_hours_are_open():
    allocation = an_allocation()
    written("allocations.grant", allocation)

    (letter,) = deliver()

    assert letter.to == [allocation.case.created_by.email]
    assert letter.subject == f"[Fabriek] De GPU-uren van {allocation.case.code} staan open"
    assert f"https://factory.example/allocations/{allocation.account}" in letter.body


def test_who_asked_for_a_run_hears_that_its_model_is_ready():
    run = a_run(state=RunState.SUCCEEDED)
    model = a_model(case=run.case, run=run)
    written("registry.register", model)

    (letter,) = deliver()

    assert letter.to == [run.asked_by.email]
    assert letter.subject == f"[Fabriek] Uw model {model.code} is klaar"
    assert f"https://factory.example/models/{model.code}/" in letter.body


def test_who_asked_for_a_run_hears_that_it_left_no_model():
    run = a_run(state=RunState.SUCCEEDED)
    registry.reject(run, Refused("It is broken.", code="broken_file"))

    (letter,) = deliver()

    assert letter.to == [run.asked_by.email]
    assert letter.subject == f"[Fabriek] Run {run.code} heeft geen model opgeleverd"
    assert "https://factory.example/models/" in letter.body


def test_a_run_that_ends_well_is_no_reason_for_mail():
    RUN.take("succeed", a_run(state=RunState.RUNNING), by=None)

    assert deliver() == []


def test_who_left_gets_no_mail():
    gone = a_person(is_active=False)
    Duty.objects.create(person=gone, duty="staff")
    written("access.submit", an_application(state=ApplicationState.SUBMITTED))

    assert deliver() == []


def test_letters_are_in_the_language_of_the_factory_whoever_reads_the_journal():
    run = a_run(state=RunState.RUNNING)
    RUN.take("fail", run, by=None)
    settle()

    with override("en"):
        post.tick()

    assert "niet goed afgelopen" in mail.outbox[0].subject


def test_a_name_cannot_add_a_header():
    lead = a_person()
    organisation = an_organisation(lead=lead, name="Zorg\r\nBcc: all@example.org")
    people.invite_member(organisation, "new@example.org", role="member", by=lead)

    (letter,) = deliver()

    assert letter.message()["Bcc"] is None
    assert "\n" not in letter.subject


def test_every_verb_that_is_mailed_about_has_a_sentence_in_the_journal():
    unknown = [verb for verb in letters.WRITERS if journal.sentence(verb) == verb]

    assert unknown == []


# --- the watermark -----------------------------------------------------------------------
def failed_runs(count):
    runs = [a_run(state=RunState.RUNNING) for _ in range(count)]
    for run in runs:
        RUN.take("fail", run, by=None)
    return [[run.asked_by.email] for run in runs]


def test_nothing_is_mailed_twice():
    everybody = failed_runs(2)

    deliver()
    deliver()

    assert recipients() == everybody


def test_a_factory_set_up_from_old_data_mails_nobody_about_it():
    Watermark.objects.all().delete()
    failed_runs(2)

    deliver()
    late = failed_runs(1)
    deliver()

    assert recipients() == late


def test_entries_are_left_to_settle_first():
    everybody = failed_runs(1)

    post.tick()
    before = recipients()
    deliver()

    assert (before, recipients()) == ([], everybody)


def test_an_entry_that_has_not_settled_is_not_passed_by():
    everybody = failed_runs(3)
    settle()
    late = Entry.objects.order_by("pk")[1]
    Entry.objects.filter(pk=late.pk).update(at=timezone.now())

    post.tick()
    first = recipients()
    deliver()

    assert (first, recipients()) == (everybody[:1], everybody)


def test_a_pass_that_finds_another_one_at_work_leaves_it_alone():
    failed_runs(1)
    settle()
    Watermark.objects.update(busy_until=timezone.now() + post.CLAIM)

    post.tick()

    assert recipients() == []


def test_a_server_that_does_not_answer_is_left_alone_for_a_while(frail_server):
    everybody = failed_runs(1)
    frail_server(0)
    deliver()
    frail_server(1)

    post.tick()
    at_once = recipients()
    deliver()

    assert (at_once, recipients()) == ([], everybody)


def test_many_entries_are_taken_a_bunch_at_a_time(monkeypatch):
    monkeypatch.setattr(post, "AT_ONCE", 2)
    everybody = failed_runs(3)
    settle()

    post.tick()
    first = recipients()
    post.tick()

    assert (first, recipients()) == (everybody[:2], everybody)


class BreaksInBetween(EmailBackend):
    """A mail server that takes so many letters and then is gone until it is mended."""

    takes = 0

    def send_messages(self, messages):
        if BreaksInBetween.takes <= 0:
            raise ConnectionRefusedError("no mail server here")
        BreaksInBetween.takes -= 1
        return super().send_messages(messages)


@pytest.fixture
def frail_server(settings):
    settings.EMAIL_BACKEND = f"{__name__}.BreaksInBetween"

    def takes(count):
        BreaksInBetween.takes = count

    return takes


def test_a_mail_server_that_breaks_in_between_loses_and_doubles_nothing(frail_server):
    everybody = failed_runs(3)
    frail_server(1)
    deliver()
    after_the_break = recipients()
    frail_server(100)

    deliver()

    assert after_the_break == everybody[:1]
    assert recipients() == everybody


def test_a_letter_to_several_goes_on_where_the_server_broke(frail_server):
    clerks = sorted(staff().email for _ in range(3))
    written("access.submit", an_application(state=ApplicationState.SUBMITTED))
    frail_server(2)
    deliver()
    frail_server(100)

    deliver()
    deliver()

    assert recipients() == [[clerk] for clerk in clerks]


def test_news_that_is_a_week_old_is_no_longer_news(frail_server):
    failed_runs(1)
    frail_server(0)
    deliver()
    Entry.objects.update(at=timezone.now() - post.STALE - timedelta(minutes=1))
    frail_server(100)

    post.tick()

    assert recipients() == []


def test_an_address_that_the_server_refuses_does_not_hold_up_the_others(settings, monkeypatch):
    settings.EMAIL_BACKEND = f"{__name__}.KnowsNotEverybody"
    refused, *others = failed_runs(3)
    monkeypatch.setattr(KnowsNotEverybody, "refused", refused[0])

    deliver()
    deliver()

    assert recipients() == others


def test_an_address_that_has_to_wait_is_tried_again(settings, monkeypatch):
    settings.EMAIL_BACKEND = f"{__name__}.KnowsNotEverybody"
    everybody = failed_runs(2)
    monkeypatch.setattr(KnowsNotEverybody, "refused", everybody[0][0])
    monkeypatch.setattr(KnowsNotEverybody, "code", 450)
    deliver()
    monkeypatch.setattr(KnowsNotEverybody, "refused", "")

    deliver()

    assert recipients() == everybody


class KnowsNotEverybody(EmailBackend):
    refused = ""
    code = 550

    def send_messages(self, messages):
        if messages[0].to == [KnowsNotEverybody.refused]:
            raise SMTPRecipientsRefused({self.refused: (self.code, b"no")})
        return super().send_messages(messages)


def test_an_entry_nobody_can_write_about_is_skipped_and_said_in_the_log(caplog):
    lost = written("runs.fail", a_run())
    Entry.objects.filter(pk=lost.pk).update(subject_id=0)
    everybody = failed_runs(1)

    deliver()

    assert recipients() == everybody
    assert f"No letter could be written about {lost.pk}" in caplog.text
