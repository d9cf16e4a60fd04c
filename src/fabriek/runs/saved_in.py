"""In which dataset answers are to be saved: what is offered, read, and refused at once."""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass

from django.core.exceptions import ValidationError
from django.db import transaction
from django.utils.translation import gettext as _
from django.utils.translation import gettext_lazy

from fabriek.cases.models import Case
from fabriek.datasets.models import Dataset
from fabriek.kernel import journal, text
from fabriek.kernel.errors import Invalid, WrongState
from fabriek.people.models import Person
from fabriek.runs import rules
from fabriek.runs.destinations import Destination
from fabriek.runs.models import Run
from fabriek.runs.states import RunState
from fabriek.store.models import Repository, Revision
from fabriek_recipes.recipe import runnable

journal.describe(
    {
        "runs.keep_answers": gettext_lazy("asked to save the answers of a run in a dataset"),
        # Done by the loop, told by the web.
        "runs.save_answers": gettext_lazy("The answers of a run were saved in a dataset."),
        "runs.leave_answers": gettext_lazy("The answers of a run could not be saved."),
    }
)
NEW = "new"
TITLE_CHARACTERS = 200
OFFERED_MAX = 200
# How forms, programs and refusals name the two fields.
TO, TITLE = "answers_to", "answers_title"


@dataclass(frozen=True, kw_only=True, slots=True)
class SavedIn:
    """A dataset of the case; without one a new one, of this title."""

    dataset: Dataset | None = None
    title: str = ""


def leaves_rows(recipe: str) -> bool:
    """Whether what this recipe writes can be saved as a dataset."""
    found = runnable().get(recipe)
    return found is not None and found.leaves_rows


def offered(case: Case) -> list[Dataset]:
    """Give the datasets of the case that answers may be added to, newest first."""
    rows = Dataset.objects.filter(case=case, repository__is_open=False)
    return list(rows.only("code", "title").order_by("-pk")[:OFFERED_MAX])


def read(case: Case, to: str, title: str = "") -> SavedIn | None:
    """Find what was chosen: nothing, `new`, or the code of a dataset of this case.

    Raises: Invalid, alike for a dataset that is not there and one of another case.
    """
    if not to:
        return None
    if to == NEW:
        return SavedIn(title=text.line(title))
    rows = Dataset.objects.filter(case=case, code=text.sought(to).upper())
    dataset = rows.select_related("case", "repository").first()
    if dataset is None:
        said = _(
            "%(case)s has no dataset %(code)s. Choose one of its datasets, or let a new one be "
            "made."
        ) % {"case": case.code, "code": text.sought(to, most=40)}
        raise Invalid(said, code="no_such_dataset", fields={TO: said})
    return SavedIn(dataset=dataset)


def chosen(case: Case, to: str, title: str = "") -> SavedIn:
    """Find what was chosen, where something must be. Raises: Invalid, as `read`."""
    found = read(case, to, title)
    if found is None:
        raise _refused("nothing_chosen", _("Choose where the answers go."))
    return found


def check(
    wanted: SavedIn | None, *, recipe: str, case: Case, inputs: Mapping[str, Revision]
) -> None:
    """Refuse at once what could not be saved in the end.

    Raises: Invalid, with the field it is about.
    """
    if wanted is None:
        return
    if not leaves_rows(recipe):
        raise _refused(
            "no_answers",
            _("This recipe writes no answers to save in a dataset. Leave that choice out."),
        )
    if wanted.dataset is None:
        _check_title(wanted.title)
        return
    if wanted.dataset.case_id != case.pk:
        read(case, wanted.dataset.code)
    _check_fit(wanted.dataset, has_personal_data=has_personal_data(inputs.values()))


def write(run: Run, wanted: SavedIn | None) -> None:
    """Remember it with a run that is being asked for, in the caller's transaction."""
    if wanted is None or run.is_dry:
        return
    Destination.objects.create(
        run=run, dataset=wanted.dataset, title=wanted.title, asked_by=run.asked_by
    )


def of(run: Run) -> SavedIn | None:
    """Give what was chosen for an earlier run, for one that goes on with it."""
    found = Destination.objects.filter(run=run).select_related("dataset__repository").first()
    return SavedIn(dataset=found.dataset, title=found.title) if found else None


@transaction.atomic
def keep(run: Run, wanted: SavedIn, *, by: Person) -> Destination:
    """Let the answers of a run that is over be saved after all, or somewhere else.

    The loop does it, as it would have by itself. Safe to repeat.

    Raises:
        NotAllowed, WrongState: `by` may not run for this case, it is not open, or the run has
            not ended well.
        Invalid: as `check`. Refused: they are saved already.
    """
    rules.require_ask(by, run.case)
    rows = run.inputs.select_related("revision__repository__dataset")
    inputs = {row.name: row.revision for row in rows}
    check(wanted, recipe=run.recipe, case=run.case, inputs=inputs)
    if run.state != RunState.SUCCEEDED or run.is_dry:
        raise WrongState(
            _("%(run)s has not ended well, so it has no answers to save.") % {"run": run},
            code="no_answers",
        )
    Run.objects.select_for_update().get(pk=run.pk)
    facts: dict[str, object] = {"dataset": wanted.dataset, "title": wanted.title}
    facts |= {"asked_by": by, "settled_at": None, "code": ""}
    found, is_new = Destination.objects.get_or_create(run=run, defaults=facts)
    if found.revision is not None:
        raise WrongState(
            _("The answers of %(run)s are saved already, in %(dataset)s.")
            % {"run": run, "dataset": found.dataset.code if found.dataset else ""},
            code="saved_already",
        )
    if not is_new:
        Destination.objects.filter(pk=found.pk).update(**facts)
        found.refresh_from_db()
    journal.record("runs.keep_answers", run, by=by)
    return found


def has_personal_data(inputs: Iterable[Revision]) -> bool:
    """Tell whether answers may tell of people: as soon as something they are made of does."""
    used = {one.repository_id for one in inputs}
    rows = Dataset.objects.filter(repository__in=used, has_personal_data=True)
    return rows.exists()


def _check_title(title: str) -> None:
    if len(title) > TITLE_CHARACTERS:
        said = _("This name is longer than %(most)d characters. Make it shorter.")
        raise _refused("bad_title", said % {"most": TITLE_CHARACTERS}, field=TITLE)
    try:
        text.PLAIN(title)
    except ValidationError as error:
        raise _refused("bad_title", str(error.message), field=TITLE) from error


def _check_fit(dataset: Dataset, *, has_personal_data: bool) -> None:
    if Repository.objects.filter(pk=dataset.repository_id, is_open=True).exists():
        said = _(
            "%(dataset)s is open to everybody, and answers that are saved by themselves would "
            "be public before anybody looked at them. Choose another dataset."
        )
        raise _refused("open_to_all", said % {"dataset": dataset.code})
    if has_personal_data and not dataset.has_personal_data:
        said = _(
            "The questions hold personal data, and %(dataset)s is said to hold none. Choose "
            "another dataset, or first change what is said of this one."
        )
        raise _refused("personal_data", said % {"dataset": dataset.code})


def _refused(code: str, said: str, *, field: str = TO) -> Invalid:
    return Invalid(said, code=code, fields={field: said})
