"""What the ledger will not book, as sentences."""

from typing import NoReturn

from django.utils.translation import gettext as _

from fabriek.allocations.lines import Term
from fabriek.allocations.models import Allocation, Share
from fabriek.kernel import words
from fabriek.kernel.errors import Invalid, NotEnough, WrongState


def too_little(allocation: Allocation, asked: int, missing: int) -> NotEnough:
    return NotEnough(
        _(
            "%(account)s has %(missing)s too few: this needs %(asked)s. "
            "Choose less work, or ask for more GPU-hours."
        )
        % {
            "account": allocation.account,
            "missing": words.gpu_hours(missing),
            "asked": words.gpu_hours(asked),
        }
    )


def outside(allocation: Allocation, term: Term) -> WrongState:
    return WrongState(
        _(
            "The GPU-hours of %(account)s can be used from %(start)s to %(end)s. "
            "Wait until then, or ask the factory for more time."
        )
        % {
            "account": allocation.account,
            "start": words.day(term.starts_on),
            "end": words.day(term.ends_on),
        },
        code="outside_term",
    )


def refuse_share(code: str) -> NoReturn:
    open_now = Share.objects.filter(is_open=True).values_list("code", flat=True)
    sentence = _("There is no share “%(code)s”. Choose one of: %(shares)s.") % {
        "code": code,
        "shares": ", ".join(open_now),
    }
    raise Invalid(sentence, fields={"share": sentence})
