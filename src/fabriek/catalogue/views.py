"""Pages of the catalogue and of the record of one dataset."""

from collections.abc import Sequence
from dataclasses import dataclass

from django.contrib import messages
from django.contrib.auth.decorators import login_required
from django.http import HttpRequest, HttpResponse, HttpResponseBase
from django.shortcuts import get_object_or_404, redirect, render
from django.utils.translation import gettext as _
from django.utils.translation import gettext_lazy
from django.views.decorators.http import require_POST, require_safe

from fabriek.agreements.models import Purpose
from fabriek.catalogue import (
    actions,
    exports,
    formats,
    gaps,
    open_models,
    opening,
    queries,
    rules,
    told,
    ways,
)
from fabriek.catalogue.card import PROBLEMS
from fabriek.catalogue.forms import ListedForm, RecordForm
from fabriek.catalogue.model_records import ModelRecord
from fabriek.catalogue.models import Record
from fabriek.catalogue.queries import Asked
from fabriek.catalogue.vocabulary import Access, Language, Theme
from fabriek.catalogue.ways import Way
from fabriek.datasets.models import Dataset, Licence
from fabriek.kernel.errors import Text
from fabriek.kernel.paging import Paged, paginate
from fabriek.people.http import SignedIn
from fabriek.people.models import Person

FILES_SHOWN = 50
MODELS_BESIDE = 5
SAID_LISTED: dict[str, Text] = {
    "nobody": gettext_lazy("Nobody but the consortium finds this dataset now."),
    "members": gettext_lazy("Everybody who can sign in finds this dataset now."),
    "everybody": gettext_lazy("Everybody finds this dataset now, and so do other catalogues."),
}


@dataclass(frozen=True, kw_only=True, slots=True)
class Choice:
    """One filter of the list: a box to choose from."""

    name: str
    label: str
    options: Sequence[tuple[str, Text]]
    chosen: str


@require_safe
def listing(request: HttpRequest) -> HttpResponseBase:
    """Show what this reader may find; programs that ask for RDF get what all may find."""
    if ending := formats.asked(request):
        return exports.catalogue(request, ending)
    person, asked = exports.reader(request), Asked.of(request.GET)
    number = request.GET.get("page", "1")
    choices = _choices(person, asked)
    page = None if asked.kind == "models" else _datasets(person, asked, number)
    beside = page is not None and page.page == 1 and asked.kind != "datasets"
    context = {
        "page": page,
        "models": _models(asked, number) if page is None or beside else None,
        "asked": asked,
        "choices": choices,
        "is_narrowed": any(choice.chosen for choice in choices),
    }
    return formats.of_this_reader(render(request, "catalogue/list.html", context))


@require_safe
def detail(request: HttpRequest, code: str) -> HttpResponseBase:
    if ending := formats.asked(request):
        return exports.dataset(request, code, ending)
    record, person = exports.record_shown(request, code), exports.reader(request)
    facts = told.of(record, person)
    context = {
        "record": record,
        "dataset": record.dataset,
        "told": facts,
        "languages": [Language(each).label for each in record.languages],
        "files": (facts.files or ())[:FILES_SHOWN],
        "way": ways.ways(person, [record])[record.pk],
        "offer": _offer(record),
    }
    return formats.of_this_reader(render(request, "catalogue/detail.html", context))


@require_safe
def model(request: HttpRequest, code: str) -> HttpResponseBase:
    """Show an open model, to everybody alike; a closed one is not there."""
    record = get_object_or_404(open_models.shown(), repository__code=code)
    context = {
        "record": record,
        "revision": told.newest_revisions([record.repository]).get(record.repository_id),
        "way": ways.to_model(exports.reader(request), record),
    }
    return formats.of_this_reader(render(request, "catalogue/model.html", context))


@login_required
def record(request: SignedIn, code: str) -> HttpResponse:
    """Show what is told of a dataset and what is missing; change it on the same page."""
    dataset = _dataset(request, code)
    if request.method == "POST":
        rules.require_edit(request.user, dataset)
    shown = queries.record_of(dataset)
    form = RecordForm(request.POST or None, initial=RecordForm.showing(shown))
    if not rules.may_list(request.user, dataset):
        form.leave_to_leads()
    if request.method == "POST" and form.is_valid():
        actions.edit(dataset, by=request.user, changes=form.cleaned_data)
        messages.success(request, _("The record is saved."))
        return redirect("catalogue:record", code=code)
    return render(request, "catalogue/record.html", _about(request, shown, form))


@login_required
@require_POST
def swapped(request: SignedIn, code: str) -> HttpResponse:
    """Put Dutch and English in each other's place: what a README filled in was guessed."""
    actions.swap_languages(_dataset(request, code), by=request.user)
    messages.success(request, _("Dutch and English changed places."))
    return redirect("catalogue:record", code=code)


@login_required
@require_POST
def listed(request: SignedIn, code: str) -> HttpResponse:
    dataset = _dataset(request, code)
    given = request.POST.get("listed_for", "")
    actions.list_for(dataset, by=request.user, listed_for=given)
    messages.success(request, str(SAID_LISTED[given]))
    return redirect("catalogue:record", code=code)


@login_required
def card(request: SignedIn, code: str) -> HttpResponse:
    """Hand over the card as a file, or with POST save it in the dataset."""
    dataset = _dataset(request, code)
    if request.method == "POST":
        saved = actions.write_card(dataset, by=request.user)
        said = _("README.md is saved as revision %(number)d.") % {"number": saved.number}
        messages.success(request, said)
        return redirect("catalogue:record", code=code)
    text = actions.card_of(dataset, by=request.user)
    response = HttpResponse(text, content_type="text/markdown; charset=utf-8")
    response["Content-Disposition"] = 'attachment; filename="README.md"'
    response["X-Content-Type-Options"] = "nosniff"
    return response


def _datasets(person: Person | None, asked: Asked, number: str) -> Paged[tuple[Record, Way]]:
    found = paginate(queries.search(person, asked), number)
    records = queries.on_page(found.items)
    there = ways.ways(person, records)
    items = [(record, there[record.pk]) for record in records]
    return Paged(items=items, count=found.count, page=found.page, size=found.size)


def _models(asked: Asked, number: str) -> Paged[ModelRecord]:
    """Give a page of models; beside datasets the first few."""
    rows = open_models.search(asked)
    alone = asked.kind == "models"
    found = paginate(rows, number) if alone else paginate(rows, size=MODELS_BESIDE)
    items = open_models.on_page(found.items)
    return Paged(items=items, count=found.count, page=found.page, size=found.size)


def _dataset(request: SignedIn, code: str) -> Dataset:
    rows = Dataset.objects.visible_to(request.user)
    rows = rows.select_related("case__organisation", "repository__organisation")
    return get_object_or_404(rows, code=code)


def _about(request: SignedIn, shown: Record, form: RecordForm) -> dict[str, object]:
    dataset = shown.dataset
    repository = dataset.repository
    newest = told.newest_revisions([repository]).get(repository.pk)
    problem = PROBLEMS.get(shown.readme_problem, "")
    return {
        "dataset": dataset,
        "record": shown,
        "form": form,
        "newest": newest,
        "gaps": gaps.gaps(shown, newest),
        "standings": gaps.standings(shown, newest),
        "listed": ListedForm(initial={"listed_for": repository.listed_for}),
        "may_list": rules.may_list(request.user, dataset),
        "is_open": repository.is_open,
        "personal": opening.personal(dataset) if repository.is_open else [],
        "steps": rules.next_steps(
            request.user, dataset, is_listed=repository.listed_for != "nobody"
        ),
        "readme_problem": problem,
        "readme_licence": _licence(shown.readme_licence),
        "tab": "record",
    }


def _licence(code: str) -> str:
    return str(Licence(code).label) if code in Licence.values else code


def _offer(record: Record) -> list[str]:
    """Name the purposes that the owner usually agrees to."""
    return [str(Purpose(each).label) for each in record.offer_purposes]


def _choices(person: Person | None, asked: Asked) -> list[Choice]:
    yes_no = [("no", _("none")), ("yes", _("contains personal data"))]
    owners = [(str(each.pk), each.name) for each in queries.owners(person)]
    kinds = [("datasets", _("datasets")), ("models", _("models"))]
    given = (
        ("kind", _("What"), kinds),
        ("theme", _("Theme"), Theme.choices),
        ("access", _("Access"), Access.choices),
        ("licence", _("Licence"), Licence.choices),
        ("language", _("Language of its texts"), Language.choices),
        ("personal", _("Personal data"), yes_no),
        ("open", _("Files"), [("yes", _("open to everybody")), ("no", _("ask for them"))]),
        ("owner", _("Owner"), owners),
    )
    return [
        Choice(name=name, label=label, options=options, chosen=getattr(asked, name))
        for name, label, options in given
    ]
