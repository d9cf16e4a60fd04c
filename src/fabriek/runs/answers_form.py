"""The part of forms that asks where answers are to be saved."""

from collections.abc import Mapping
from typing import Any

from django import forms
from django.forms.boundfield import BoundField
from django.utils.translation import gettext as _

from fabriek.cases.models import Case
from fabriek.runs import saved_in
from fabriek.runs.models import Run
from fabriek.runs.paid_form import PaidForm
from fabriek.runs.saved_in import NEW, TITLE, TITLE_CHARACTERS, TO, SavedIn


class AnswersForm(PaidForm):
    """A form of a run; of a recipe that leaves rows it also asks where these go."""

    @property
    def answers_fields(self) -> list[BoundField]:
        return [self[name] for name in (TO, TITLE) if name in self.fields]

    def add_answers(self, like: Run | None) -> None:
        """Propose what was chosen for an earlier run."""
        if not self.recipe.leaves_rows:
            return
        self.fields |= _fields(self.case)
        if like is not None:
            before = saved_in.of(like)
            self.fields[TO].initial = _written(before) if before else ""
            self.fields[TITLE].initial = before.title if before else ""

    def saved_in(self, given: Mapping[str, Any]) -> SavedIn | None:
        # An empty form proposes nothing for its name.
        return saved_in.read(self.case, given.get(TO) or "", given.get(TITLE) or "")


class SaveForm(forms.Form):
    """Where the answers of a run that is over go after all."""

    def __init__(self, data: Mapping[str, Any] | None = None, *, case: Case) -> None:
        super().__init__(data)
        self.case = case
        self.fields |= _fields(case, is_over=True)

    def saved_in(self) -> SavedIn:
        given = self.cleaned_data
        return saved_in.chosen(self.case, given[TO], given[TITLE])


def _written(chosen: SavedIn) -> str:
    return chosen.dataset.code if chosen.dataset else NEW


def _fields(case: Case, *, is_over: bool = False) -> dict[str, forms.Field]:
    nowhere = [] if is_over else [("", _("Nowhere: they stay with the run"))]
    datasets = [(one.code, f"{one.code}  {one.title}") for one in saved_in.offered(case)]
    return {
        TO: forms.ChoiceField(
            label=_("Where the answers are saved"),
            help_text=_(
                "The factory does it when the run has ended well. What was agreed on the data, "
                "and on the data of the model, goes for the answers too."
            ),
            required=is_over,
            choices=[(NEW, _("In a new dataset of the case")), *datasets, *nowhere],
            initial=NEW,
        ),
        TITLE: forms.CharField(
            label=_("Name of the new dataset"),
            help_text=_("Leave it empty to call it by the code of the run."),
            required=False,
            max_length=TITLE_CHARACTERS,
        ),
    }
