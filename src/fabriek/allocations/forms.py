"""What staff fill in to open GPU-hours and to give more time."""

from collections.abc import Callable
from typing import TYPE_CHECKING

from django import forms
from django.db.models import Model
from django.http import QueryDict
from django.utils import timezone
from django.utils.translation import gettext_lazy as _

from fabriek.access.models import Decision
from fabriek.allocations import queries, words
from fabriek.allocations.models import Allocation, Share
from fabriek.kernel.numbers import WholeNumberField
from fabriek.kernel.units import gpu_seconds
from fabriek.kernel.words import day

if TYPE_CHECKING:
    from django_stubs_ext import StrPromise

    ChoiceOfShare = forms.ModelChoiceField[Share]
else:
    ChoiceOfShare = forms.ModelChoiceField

MOST_GPU_HOURS = 10_000_000  # beyond any machine of today: a slip of the keyboard


class DayInput(forms.DateInput):
    input_type = "date"

    def __init__(self) -> None:
        super().__init__(format="%Y-%m-%d")


class ShareChoice(ChoiceOfShare):
    """The open shares, each with the room under its aid ceiling in words."""

    def __init__(
        self, *, label: "StrPromise", required: bool = True, none: "StrPromise | None" = None
    ) -> None:
        super().__init__(
            Share.objects.filter(is_open=True).select_related("funder"),
            label=label,
            to_field_name="code",
            widget=forms.RadioSelect,
            empty_label=none,
            blank=not required,
            required=required,
            error_messages={"required": _("Choose the share that pays.")},
        )
        self.rooms: Callable[[Share], str] | None = None

    def label_from_instance(self, share: Model) -> str:
        if not isinstance(share, Share):
            return str(share)
        name = f"{share}, {share.funder}"
        return f"{name}. {self.rooms(share)}" if self.rooms else name


class GrantForm(forms.Form):
    share = ShareChoice(label=_("Which share pays?"))
    starts_on = forms.DateField(
        label=_("First day"),
        widget=DayInput(),
        help_text=_("From this day on, runs may use the GPU-hours."),
    )

    def __init__(self, decision: Decision, typed: QueryDict | None = None) -> None:
        super().__init__(typed)
        self.fields["starts_on"].initial = timezone.localdate()
        self.fields["share"].initial = decision.application.mode.rules.share or None
        given = queries.aid_counted(decision.application)
        asked = gpu_seconds(decision.gpu_hours)
        choice = self.fields["share"]
        if isinstance(choice, ShareChoice):
            choice.rooms = lambda share: words.room(share, asked, given)


class ExtendForm(forms.Form):
    ends_on = forms.DateField(label=_("New last day"), widget=DayInput())
    gpu_hours = WholeNumberField(
        label=_("GPU-hours to add"),
        required=False,
        min_value=0,
        max_value=MOST_GPU_HOURS,
        help_text=_("Leave this empty to give more time only."),
    )
    share = ShareChoice(
        label=_("Which share pays for them?"),
        required=False,
        none=_("none: no hours are added"),
    )

    def __init__(self, allocation: Allocation, typed: QueryDict | None = None) -> None:
        super().__init__(typed)
        self.fields["ends_on"].help_text = _("Later than %(day)s.") % {
            "day": day(allocation.ends_on)
        }
