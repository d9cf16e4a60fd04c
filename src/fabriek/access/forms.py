"""What people fill in: sections of an application, and the findings of the factory."""

from collections.abc import Mapping
from typing import Any, cast

from django import forms
from django.core.exceptions import ValidationError
from django.utils.html import escape
from django.utils.translation import gettext_lazy as _

from fabriek.access import answers
from fabriek.access.definitions import ModeRules, Question, QuestionKind, Section
from fabriek.access.models import MOST_CHARACTERS, Application
from fabriek.access.readers import NO, YES
from fabriek.kernel.errors import Text
from fabriek.kernel.numbers import WholeNumberField
from fabriek.kernel.text import PLAIN


class TypedField(forms.Field):
    """One question; its rules are those of the form's definition, not Django's."""

    def __init__(self, question: Question, section: Section, rules: ModeRules) -> None:
        self.question, self.rules = question, rules
        super().__init__(
            required=question.required,
            label=str(question.label),
            # Help texts are shown unescaped by the field's template.
            help_text=escape(_help(question, section)),
            widget=_widget(question, rules),
        )

    def clean(self, value: object) -> str:
        return answers.as_typed(value)


class SectionForm(forms.Form):
    """The questions of one section. Only `check` says what is wrong: a draft is anything."""

    use_required_attribute = False

    def __init__(self, section: Section, rules: ModeRules, typed: Mapping[str, str]) -> None:
        self.section, self.rules, self.typed = section, rules, typed
        super().__init__(initial=dict(typed))
        for question in section.fields:
            self.fields[question.key] = TypedField(question, section, rules)

    def check(self) -> None:
        """Put what is wrong beside each question."""
        self.is_bound, self.data = True, dict(self.typed)
        self.full_clean()

    def clean(self) -> None:
        for question in self.section.fields:
            said = answers.problem(question, self.typed, self.rules)
            if said:
                self.add_error(question.key, said)

    def units(self) -> list[tuple[forms.BoundField, str]]:
        """Pair each box with the unit that stands beside it."""
        return [
            (self[question.key], answers.unit(question, self.rules))
            for question in self.section.fields
        ]


def posted(section: Section, data: Mapping[str, Any]) -> dict[str, str]:
    """Take the answers to the questions of a section out of what a page sent."""
    return {
        question.key: str(data[question.key])
        for question in section.fields
        if question.key in data
    }


def _help(question: Question, section: Section) -> str:
    help_text = str(question.help)
    condition = question.show_if
    asked_before = section.question(condition.field) if condition else None
    if condition is None or asked_before is None:
        return help_text
    only = (
        _("Only if you answered yes to: “%(question)s”")
        if condition.equals
        else _("Only if you answered no to: “%(question)s”")
    )
    return f"{only % {'question': asked_before.label}} {help_text}".strip()


def _widget(question: Question, rules: ModeRules) -> forms.Widget:
    if question.kind == QuestionKind.YESNO:
        return forms.RadioSelect(choices=[(YES, _("yes")), (NO, _("no"))])
    if question.kind == QuestionKind.CHOICE:
        return _select([(choice.code, str(choice.label)) for choice in question.choices])
    if question.is_duration and rules.durations_months:
        return _select([(str(n), str(n)) for n in rules.durations_months])
    return _box(question.kind)


def _select(options: list[tuple[str, str]]) -> forms.Select:
    return forms.Select(choices=[("", _("Choose…")), *options])


def _box(kind: QuestionKind) -> forms.Widget:
    if kind == QuestionKind.LONGTEXT:
        return forms.Textarea(attrs={"rows": 6})
    if kind == QuestionKind.DATE:
        return forms.DateInput(attrs={"type": "date"})
    if kind == QuestionKind.NUMBER:
        # A box for text: people write 5.000 or 5,000, and both are understood.
        return forms.TextInput(attrs={"inputmode": "decimal", "autocomplete": "off"})
    return forms.TextInput()


# --- what the factory fills in -----------------------------------------------------------
class Prose(forms.CharField):
    """Text of some lines. Too long is said, never cut off while pasting."""

    widget = forms.Textarea
    default_validators = [PLAIN]

    def __init__(self, *, label: Text, required: bool = True, help_text: Text = "") -> None:
        super().__init__(
            label=cast("str", label),
            required=required,
            help_text=cast("str", help_text),
            max_length=MOST_CHARACTERS,
        )

    def widget_attrs(self, _widget: forms.Widget) -> dict[str, Any]:
        return {"rows": 4}


class StepForm(forms.Form):
    """A form on the page of an application; several stand there, so each has its prefix."""

    use_required_attribute = False
    step = ""
    button: Text = ""

    def __init__(self, application: Application, data: Mapping[str, Any] | None = None) -> None:
        super().__init__(data, prefix=self.step)
        self.application = application
        self.arrange()

    def arrange(self) -> None:
        """Fit the fields to the application; most steps need nothing."""


class SendBackForm(StepForm):
    step = "send_back"
    button = _("Send the application back")
    reasons = Prose(label=_("What is to be mended?"))


class FindEligibleForm(StepForm):
    step = "find_eligible"
    button = _("All conditions are met")
    remarks = Prose(label=_("Remarks"), required=False)


class FindIneligibleForm(StepForm):
    step = "find_ineligible"
    button = _("Refuse: a condition is not met")
    reasons = Prose(label=_("Which condition is not met, and what can the applicant do?"))


class TechnicalForm(StepForm):
    step = "technical"
    button = _("Save the assessment")
    is_positive = forms.TypedChoiceField(
        label=_("Does the plan work on the machine?"),
        choices=[(YES, _("yes, it is feasible")), (NO, _("no, not in this way"))],
        coerce=lambda said: said == YES,
        widget=forms.RadioSelect,
    )
    remarks = Prose(
        label=_("Remarks"),
        required=False,
        help_text=_("The applicant reads this. After “no”, say why."),
    )

    def clean(self) -> None:
        said_no = self.cleaned_data.get("is_positive") is False
        if said_no and not self.cleaned_data.get("remarks", "").strip():
            self.add_error("remarks", _("Say why, in words the applicant can use."))


class ReviewForm(StepForm):
    step = "review"
    button = _("Save the review")
    remarks = Prose(label=_("Explain your scores"))

    def arrange(self) -> None:
        wanted = self.application.mode.rules.review.min_score
        if wanted is None:
            return
        lowest, highest = wanted.scale
        values = [(n, str(n)) for n in range(lowest, highest + 1)]
        for criterion in wanted.criteria:
            self.fields[criterion.key] = forms.TypedChoiceField(
                label=str(criterion.name),
                choices=values,
                coerce=int,
                widget=forms.RadioSelect,
                help_text=_("At least %(min)s is needed.") % {"min": criterion.min},
            )
        self.order_fields([*(criterion.key for criterion in wanted.criteria), "remarks"])


class AwardForm(StepForm):
    step = "award"
    button = _("Award GPU-hours")
    gpu_hours = WholeNumberField(label=_("GPU-hours"), min_value=1, localize=True)
    months = forms.TypedChoiceField(label=_("Months"), coerce=int)
    reasons = Prose(label=_("Reasons"), help_text=_("The applicant reads this."))

    def arrange(self) -> None:
        asked, durations = self.application.gpu_hours_asked, self.application.mode.rules
        self.fields["gpu_hours"].initial = asked
        months = self.fields["months"]
        assert isinstance(months, forms.TypedChoiceField)
        months.choices = [(n, str(n)) for n in durations.durations_months]
        months.initial = self.application.months

    def clean_gpu_hours(self) -> int:
        gpu_hours: int = self.cleaned_data["gpu_hours"]
        asked = self.application.gpu_hours_asked or 0
        if gpu_hours > asked:
            raise ValidationError(
                _("Award at most the %(asked)s that were asked."), params={"asked": asked}
            )
        return gpu_hours


class RefuseForm(StepForm):
    step = "refuse"
    button = _("Refuse the application")
    reasons = Prose(label=_("Reasons"), help_text=_("The applicant reads this."))


FORMS: dict[str, type[StepForm]] = {
    form.step: form
    for form in (
        FindEligibleForm,
        SendBackForm,
        FindIneligibleForm,
        TechnicalForm,
        ReviewForm,
        AwardForm,
        RefuseForm,
    )
}
