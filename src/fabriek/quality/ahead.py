"""What a look at data asks of people: told where they meet the data first."""

from django.urls import reverse
from django.utils.translation import gettext as _
from django.utils.translation import ngettext

from fabriek.datasets.models import Dataset
from fabriek.kernel.steps import NextStep
from fabriek.people.models import Person
from fabriek.quality import queries, rules
from fabriek.quality.findings import columns_of
from fabriek.store.models import Repository, Revision


def next_steps(person: Person, dataset: Dataset, revision: Revision) -> list[NextStep]:
    """Name what comes first for this revision; nothing where its look found nothing wrong."""
    look = queries.last_done(dataset, revision)
    if look is None:
        return [_to_look(dataset, revision)]
    undecided = sum(
        not one.is_decided for one in columns_of(look, queries.decisions_of(dataset))
    )
    if undecided and rules.may_decide(person, dataset):
        return [_to_decide(dataset, revision, undecided)]
    wrong = sum(one["severity"] == "wrong" for one in look.result.get("problems", []))
    return [_to_mend(dataset, revision, wrong)] if wrong else []


def lent_along(person: Person, repository: Repository) -> str:
    """Tell its owner which revisions with personal data an agreement lends: all that are kept.

    Who had personal data masked thinks of the newest one only.
    """
    if not person.leads(repository.organisation_id):
        return ""
    dataset = Dataset.objects.filter(repository=repository).first()
    if dataset is None or not (numbers := queries.revisions_untreated(dataset)):
        return ""
    return ngettext(
        "Who has the agreement reads every revision that you keep, older ones too. The look "
        "found personal data in revision %(numbers)s.",
        "Who has the agreement reads every revision that you keep, older ones too. The look "
        "found personal data in the revisions %(numbers)s.",
        len(numbers),
    ) % {"numbers": ", ".join(map(str, numbers))}


def _to_look(dataset: Dataset, revision: Revision) -> NextStep:
    return NextStep(
        name="look",
        label=_("Look at the data"),
        sentence=_("The files are here. See what is in them before you train on them."),
        url=reverse("quality:revision", args=[dataset.code, revision.number]),
        method="get",
    )


def _to_decide(dataset: Dataset, revision: Revision, count: int) -> NextStep:
    return NextStep(
        name="decide",
        label=_("See the personal data"),
        sentence=ngettext(
            "%(count)d column seems to hold personal data. Decide what to do with it.",
            "%(count)d columns seem to hold personal data. Decide what to do with them.",
            count,
        )
        % {"count": count},
        url=reverse("quality:personal_of", args=[dataset.code, revision.number]),
        method="get",
    )


def _to_mend(dataset: Dataset, revision: Revision, count: int) -> NextStep:
    address = reverse("quality:revision", args=[dataset.code, revision.number])
    return NextStep(
        name="mend",
        label=_("See what is wrong"),
        sentence=ngettext(
            "%(count)d thing is wrong with these data. See what, and mend it before you train "
            "on them.",
            "%(count)d things are wrong with these data. See what, and mend them before you "
            "train on them.",
            count,
        )
        % {"count": count},
        url=f"{address}#problems",
        method="get",
    )
