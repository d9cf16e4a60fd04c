"""How a typed answer becomes a value, for each kind of question; and which values will do."""

import re
from collections.abc import Callable
from datetime import date
from decimal import Decimal

from django.core.exceptions import ValidationError
from django.utils.translation import gettext as _
from django.utils.translation import ngettext

from fabriek.access.definitions import ModeRules, Question, QuestionKind
from fabriek.kernel import words
from fabriek.kernel.text import PLAIN

YES, NO = "yes", "no"
Value = str | bool | int | Decimal | date | None

# Groups of three are thousands in either language: 5.000, 5,000 and 5 000 are the same.
_GROUPED = re.compile(r"-?[1-9][0-9]{0,2}([.,\s][0-9]{3})+")
_PLAIN_NUMBER = re.compile(r"-?[0-9]{1,15}([.,][0-9]{1,6})?")


class Wrong(Exception):
    """An answer that will not do; `sentence` says why and what to do."""

    def __init__(self, sentence: str) -> None:
        super().__init__(sentence)
        self.sentence = sentence


def _text(question: Question, text: str) -> str:
    try:
        PLAIN(text)
    except ValidationError as error:
        raise Wrong(str(error.messages[0])) from error
    most = question.max_length
    if most is not None and len(text) > most:
        raise Wrong(
            _(
                "This text has %(length)s characters; at most %(most)s fit. Make it "
                "%(over)s shorter. All of it is kept until you do."
            )
            % {
                "length": words.number(len(text)),
                "most": words.number(most),
                "over": words.number(len(text) - most),
            }
        )
    return text


def _number(_question: Question, text: str) -> Decimal:
    if _GROUPED.fullmatch(text):
        return Decimal(re.sub(r"[.,\s]", "", text))
    if _PLAIN_NUMBER.fullmatch(text):
        return Decimal(text.replace(",", "."))
    raise Wrong(_("This is not a number. Write it in figures, such as 5000."))


def _choice(question: Question, text: str) -> str:
    if text not in {choice.code for choice in question.choices}:
        raise Wrong(_("This is not one of the answers. Choose one from the list."))
    return text


def _yesno(_question: Question, text: str) -> bool:
    if text not in (YES, NO):
        raise Wrong(_("Answer with yes or no."))
    return text == YES


def _date(_question: Question, text: str) -> date:
    try:
        return date.fromisoformat(text)
    except ValueError as error:
        raise Wrong(_("This is not a date. Write it as year-month-day: 2027-01-31.")) from error


READERS: dict[QuestionKind, Callable[[Question, str], Value]] = {
    QuestionKind.TEXT: _text,
    QuestionKind.LONGTEXT: _text,
    QuestionKind.NUMBER: _number,
    QuestionKind.CHOICE: _choice,
    QuestionKind.YESNO: _yesno,
    QuestionKind.DATE: _date,
}


def hold_bounds(value: Decimal, question: Question) -> None:
    if question.min is not None and value < question.min:
        raise Wrong(
            _("This is too low: at least %(min)s.") % {"min": words.number(question.min)}
        )
    if question.max is not None and value > question.max:
        raise Wrong(
            _("This is too high: at most %(max)s.") % {"max": words.number(question.max)}
        )


def hold_amount(value: Value, rules: ModeRules) -> None:
    if not isinstance(value, Decimal) or value != int(value):
        raise Wrong(_("Write a whole number."))
    if rules.min <= value <= rules.max:
        return
    raise Wrong(
        _(
            "“%(mode)s” is for %(min)s to %(max)s %(unit)s. Change the amount, or choose "
            "another access mode."
        )
        % {
            "mode": rules.name,
            "min": words.number(rules.min),
            "max": words.number(rules.max),
            "unit": _("node-hours") if rules.unit == "node_hours" else _("GPU-hours"),
        }
    )


def hold_months(value: Value, rules: ModeRules) -> None:
    if value in rules.durations_months:
        return
    longest = rules.longest_months
    raise Wrong(
        ngettext(
            "“%(mode)s” lasts %(choices)s month. Choose that.",
            "“%(mode)s” lasts %(choices)s months. Choose one of these.",
            longest,
        )
        % {"mode": rules.name, "choices": ", ".join(str(n) for n in rules.durations_months)}
    )
