"""Turn journal entries into mail: the only code that mails.

The watermark moves on after each entry is dealt with. A mailer that is killed in between sends
one letter twice rather than none; a mail server that is down holds the rest back, and no more.
"""

import logging
from datetime import timedelta
from smtplib import SMTPException

from django.conf import settings
from django.core.mail import EmailMessage
from django.db.models import Max
from django.utils import timezone, translation

from fabriek.kernel.models import Entry
from fabriek.notices.letters import Letter, letter_for
from fabriek.notices.models import Watermark

log = logging.getLogger(__name__)

AT_ONCE = 100
SETTLING = timedelta(seconds=5)
# After an outage of the mail server for longer than this, old news is no longer news.
STALE = timedelta(days=7)


def tick() -> None:
    """Deal with the entries that came since the last pass."""
    mark = _mark()
    # A transaction that began earlier may commit a lower number later: wait for those.
    settled = timezone.now() - SETTLING
    rows = Entry.objects.filter(pk__gt=mark.entry_id, at__lt=settled).order_by("pk")[:AT_ONCE]
    for entry in rows:
        if not _dealt_with(entry):
            return
        Watermark.objects.filter(pk=mark.pk).update(entry_id=entry.pk)


def _mark() -> Watermark:
    """Begin at the present: a factory that is set up from old data mails nobody about it."""
    newest = Entry.objects.aggregate(newest=Max("pk"))["newest"] or 0
    return Watermark.objects.get_or_create(name="mail", defaults={"entry_id": newest})[0]


def _dealt_with(entry: Entry) -> bool:
    if timezone.now() - entry.at > STALE:
        return True
    with translation.override(settings.LANGUAGE_CODE):
        try:
            letter = letter_for(entry)
        except Exception:
            log.exception("No letter could be written about %s; it is skipped.", entry.pk)
            return True
        return letter is None or _sent(letter, entry)


def _sent(letter: Letter, entry: Entry) -> bool:
    """Send to each apart: nobody sees another's address."""
    subject = " ".join(f"{settings.ACCOUNT_EMAIL_SUBJECT_PREFIX}{letter.subject}".split())
    try:
        for address in letter.to:
            EmailMessage(subject, letter.text, to=[address]).send()
    except (OSError, SMTPException):
        log.warning("The mail server does not take letter %s; tried again later.", entry.pk)
        return False
    return True
