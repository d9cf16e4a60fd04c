"""Turn journal entries into mail: the only code that mails.

The watermark moves on after each letter. A mailer that is killed in between sends one letter
to one address twice rather than none; a mail server that is down holds the rest back, and one
address that it refuses holds back nobody.
"""

import logging
from collections.abc import Iterator
from datetime import timedelta
from smtplib import SMTPDataError, SMTPException, SMTPRecipientsRefused

from django.conf import settings
from django.core.mail import EmailMessage
from django.db.models import Max
from django.utils import timezone, translation

from fabriek.kernel.models import Entry
from fabriek.notices.envelope import Letter
from fabriek.notices.letters import letter_for
from fabriek.notices.models import Watermark

log = logging.getLogger(__name__)

AT_ONCE = 100
# A transaction that began earlier may commit a lower number later.
SETTLING = timedelta(seconds=15)
# After an outage of the mail server for longer than this, old news is no longer news.
STALE = timedelta(days=7)
# Longer than sending one letter ever takes; a pass that died gives its claim back by itself.
CLAIM = timedelta(minutes=2)
REST = timedelta(seconds=30)
PERMANENT = 500
# So that no absence note answers a machine.
HEADERS = {"Auto-Submitted": "auto-generated"}


def tick() -> None:
    """Deal with the entries that came since the last pass; two passes at once do no harm."""
    mark = _mark()
    if not Entry.objects.filter(pk__gt=mark.entry_id).exists():
        return
    if not _claimed(mark):
        return
    rest = REST
    try:
        if all(_dealt_with(entry, mark) for entry in _settled_since(mark)):
            rest = timedelta(0)
    finally:
        _note(mark, busy_until=timezone.now() + rest)


def _mark() -> Watermark:
    """Begin at the present: a factory that is set up from old data mails nobody about it."""
    newest = Entry.objects.aggregate(newest=Max("pk"))["newest"] or 0
    return Watermark.objects.get_or_create(name="mail", defaults={"entry_id": newest})[0]


def _claimed(mark: Watermark) -> bool:
    """Be the only pass for a while, and see how far the one before came."""
    now = timezone.now()
    free = Watermark.objects.filter(pk=mark.pk, busy_until__lte=now)
    if not free.update(busy_until=now + CLAIM):
        return False
    mark.refresh_from_db()
    return True


def _note(mark: Watermark, **columns: object) -> None:
    columns = {"busy_until": timezone.now() + CLAIM} | columns
    Watermark.objects.filter(pk=mark.pk).update(**columns)


def _settled_since(mark: Watermark) -> Iterator[Entry]:
    settled = timezone.now() - SETTLING
    for entry in Entry.objects.filter(pk__gt=mark.entry_id).order_by("pk")[:AT_ONCE]:
        if entry.at >= settled:
            return  # and what has a higher number waits with it, or this one would be passed by
        yield entry


def _dealt_with(entry: Entry, mark: Watermark) -> bool:
    """Tell whether the mailer may go on to the next entry."""
    letter = None if timezone.now() - entry.at > STALE else _written(entry)
    if letter and not _sent(letter, entry, mark):
        return False
    _note(mark, entry_id=entry.pk)
    return True


def _written(entry: Entry) -> Letter | None:
    with translation.override(settings.LANGUAGE_CODE):
        try:
            return letter_for(entry)
        except Exception:
            log.exception("No letter could be written about %s; it is skipped.", entry.pk)
            return None


def _sent(letter: Letter, entry: Entry, mark: Watermark) -> bool:
    """Send to each apart: nobody sees another's address, and a break doubles no letter."""
    subject = " ".join(f"{settings.ACCOUNT_EMAIL_SUBJECT_PREFIX}{letter.subject}".split())
    sent_to = list(mark.partly_sent_to) if mark.partly_id == entry.pk else []
    for address in letter.to:
        if address in sent_to:
            continue
        try:
            EmailMessage(subject, letter.text, to=[address], headers=HEADERS).send()
        except (OSError, SMTPException) as error:
            if not _is_final(error):
                log.warning("The mail server does not take letter %s now.", entry.pk)
                return False
            log.warning("The mail server refuses an address of letter %s for good.", entry.pk)
        sent_to.append(address)
        _note(mark, partly_id=entry.pk, partly_sent_to=sent_to)
    return True


def _is_final(error: Exception) -> bool:
    """Tell a refusal of this one letter from trouble with the server (RFC 5321, 4.2.1)."""
    if isinstance(error, SMTPRecipientsRefused):
        return all(code >= PERMANENT for code, _said in error.recipients.values())
    return isinstance(error, SMTPDataError) and error.smtp_code >= PERMANENT
