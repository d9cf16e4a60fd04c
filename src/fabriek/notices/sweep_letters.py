"""Mail about searches for good settings: done, standing still, or without a winner."""

from collections.abc import Callable

from django.utils.translation import gettext as _

from fabriek.kernel.errors import Text
from fabriek.kernel.models import Entry
from fabriek.notices.envelope import Letter, address, addresses
from fabriek.sweeps.models import Sweep


def _done(entry: Entry) -> Letter | None:
    return _letter(
        entry,
        _("The search %(code)s is done"),
        _(
            "The search %(code)s for good settings is done. See what won, and train "
            "it:\n%(url)s"
        ),
    )


def _stands_still(entry: Entry) -> Letter | None:
    return _letter(
        entry,
        _("The search %(code)s stands still"),
        _(
            "The search %(code)s for good settings stands still. Read why, and let it go "
            "on:\n%(url)s"
        ),
    )


def _failed(entry: Entry) -> Letter | None:
    return _letter(
        entry,
        _("The search %(code)s found nothing"),
        _("The search %(code)s for good settings ended without a winner. Read why:\n%(url)s"),
    )


def _letter(entry: Entry, subject: Text, text: Text) -> Letter | None:
    sweep = Sweep.objects.select_related("runs_as").get(pk=entry.subject_id)
    named = {"code": sweep.code, "url": address(sweep.get_absolute_url())}
    return Letter(
        to=addresses([sweep.runs_as.email]),
        subject=str(subject) % named,
        text=str(text) % named,
    )


WRITERS: dict[str, Callable[[Entry], Letter | None]] = {
    "sweeps.finish": _done,
    "sweeps.pause": _stands_still,
    "sweeps.fail": _failed,
}
