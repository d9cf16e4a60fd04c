"""What was typed in a form: kept as typed, read as values, and said in words what is wrong.

Answers are texts until they are read, so that nothing typed is ever lost: "5.000" and "five
thousand" are both kept, and only reading says that the second is no number. No database here.
"""

import re
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import date
from decimal import Decimal

from django.utils.formats import date_format
from django.utils.translation import gettext as _
from django.utils.translation import ngettext

from fabriek.access.definitions import FormRules, ModeRules, Question, QuestionKind, Section
from fabriek.access.readers import (
    NO,
    READERS,
    YES,
    Value,
    Wrong,
    hold_amount,
    hold_bounds,
    hold_months,
)
from fabriek.kernel import words
from fabriek.kernel.text import prose

Typed = Mapping[str, str]
Answered = Mapping[str, Typed]

_UNSTORABLE = re.compile("[\x00\ud800-\udfff]")


@dataclass(frozen=True, kw_only=True, slots=True)
class Problem:
    """One answer to mend before the application can be submitted."""

    section: Section
    question: Question
    sentence: str

    @property
    def key(self) -> str:
        return f"{self.section.key}.{self.question.key}"


@dataclass(frozen=True, kw_only=True, slots=True)
class Asked:
    """What an application asks for."""

    gpu_hours: int
    months: int


def as_typed(value: object) -> str:
    """Bring what a page or a program sent to the text that is kept."""
    if value is None:
        return ""
    if isinstance(value, bool):
        return YES if value else NO
    # No database keeps these signs, and nobody types them.
    return _UNSTORABLE.sub("\ufffd", str(value)).replace("\r\n", "\n")


def applies(question: Question, typed: Typed) -> bool:
    """Whether the question is put at all, given the answers of its section."""
    condition = question.show_if
    if condition is None:
        return True
    return typed.get(condition.field, "") == (YES if condition.equals else NO)


def read(question: Question, typed: str, rules: ModeRules) -> Value:
    """Understand one answer; an empty one is None.

    Raises:
        Wrong: it is missing, or cannot be what it should be.
    """
    text = prose(typed)
    if not text:
        if question.required:
            raise Wrong(_("Please answer this question."))
        return None
    value = READERS[question.kind](question, text)
    if question.is_amount:
        hold_amount(value, rules)
    elif question.is_duration:
        hold_months(value, rules)
    elif isinstance(value, Decimal):
        hold_bounds(value, question)
    if question.must_equal is not None and value is not question.must_equal:
        raise Wrong(
            _("With this answer the factory may not help you. Change it if it is a mistake.")
        )
    return value


def problem(question: Question, typed: Typed, rules: ModeRules) -> str:
    """Say what is wrong with an answer; nothing when all is well."""
    if not applies(question, typed):
        return ""
    try:
        read(question, typed.get(question.key, ""), rules)
    except Wrong as wrong:
        return wrong.sentence
    return ""


def problems(form: FormRules, answered: Answered, rules: ModeRules) -> list[Problem]:
    """List all there is to mend in the form, in the order of its questions."""
    found = (
        (section, question, problem(question, answered.get(section.key, {}), rules))
        for section, question in form.questions()
    )
    return [
        Problem(section=section, question=question, sentence=sentence)
        for section, question, sentence in found
        if sentence
    ]


def asked(form: FormRules, answered: Answered, rules: ModeRules) -> Asked:
    """Work out what is asked for, from a form without problems."""
    shortest = min(rules.durations_months, default=1)
    return Asked(
        gpu_hours=gpu_hours(form, answered, rules) or rules.min_gpu_hours,
        months=months(form, answered, rules) or shortest,
    )


def gpu_hours(form: FormRules, answered: Answered, rules: ModeRules) -> int | None:
    """Find how much is asked for; None when it is missing or wrong.

    A form that does not ask how much gets the least of its mode: the modes of one fixed size.
    """
    for section, question in form.questions():
        if question.is_amount:
            value = understood(question, answered.get(section.key, {}), rules)
            return rules.gpu_hours(int(value)) if isinstance(value, Decimal) else None
    return rules.min_gpu_hours


def months(form: FormRules, answered: Answered, rules: ModeRules) -> int | None:
    """Find how long is asked for; a form that does not ask gets the shortest time."""
    for section, question in form.questions():
        if question.is_duration:
            value = understood(question, answered.get(section.key, {}), rules)
            return int(value) if isinstance(value, Decimal) else None
    return min(rules.durations_months, default=None)


def understood(question: Question, typed: Typed, rules: ModeRules) -> Value:
    """Give the value of an answer; None when it is missing, wrong or not asked."""
    if not applies(question, typed):
        return None
    try:
        return read(question, typed.get(question.key, ""), rules)
    except Wrong:
        return None


def value_of(form: FormRules, answered: Answered, key: str) -> str | None:
    """Find the typed answer to a question wherever it stands; None when it is not asked."""
    for section, question in form.questions():
        if question.key == key:
            return answered.get(section.key, {}).get(key, "")
    return None


def amount(form: FormRules, answered: Answered, key: str, rules: ModeRules) -> Decimal:
    """Give an answer that is a number; nothing typed, wrong or not asked counts as 0."""
    for section, question in form.questions():
        if question.key == key:
            value = understood(question, answered.get(section.key, {}), rules)
            return value if isinstance(value, Decimal) else Decimal(0)
    return Decimal(0)


def in_words(question: Question, typed: str, rules: ModeRules) -> str:
    """Show an answer to a reader; what cannot be understood is shown as it was typed."""
    if question.kind == QuestionKind.YESNO:
        return {YES: _("yes"), NO: _("no")}.get(typed, typed)
    if question.kind == QuestionKind.CHOICE:
        labels = {choice.code: str(choice.label) for choice in question.choices}
        return labels.get(typed, typed)
    try:
        value = READERS[question.kind](question, prose(typed)) if typed.strip() else None
    except Wrong:
        return typed
    if isinstance(value, Decimal):
        decimals = max(0, -int(value.normalize().as_tuple().exponent))
        return _with_unit(value, words.number(float(value), decimals), unit(question, rules))
    return date_format(value, "j F Y") if isinstance(value, date) else typed


def _with_unit(value: Decimal, number: str, unit: str) -> str:
    if unit == _("months"):
        return ngettext("%(n)s month", "%(n)s months", int(value)) % {"n": number}
    return f"{number} {unit}".strip()


def unit(question: Question, rules: ModeRules) -> str:
    """Name the unit that stands beside the box."""
    return {
        "mode": _("node-hours") if rules.unit == "node_hours" else _("GPU-hours"),
        "months": _("months"),
        "gpus": _("GPUs"),
        "hours": _("hours"),
        "gib": "GiB",
        "eur": _("euro"),
        "thousand_files": _("thousand files"),
    }.get(question.unit or "", "")
