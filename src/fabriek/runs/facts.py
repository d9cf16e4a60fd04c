"""What a page lists of a run beside how it goes: whose it is, its settings, its bill."""

from django.utils.translation import gettext as _

from fabriek.kernel import words as amounts
from fabriek.kernel.facts import Fact
from fabriek.kernel.words import percent_sign
from fabriek.runs import energy, offers, rules, tried, words
from fabriek.runs.models import Run


def of(run: Run, *, inside: bool) -> list[Fact]:
    """Tell what everybody who may see the run sees of it; what it measured only inside."""
    rows = [
        *_dry(run, inside=inside),
        *_trial(run),
        Fact(label=_("Case"), value=run.case, url=run.case.get_absolute_url()),
        Fact(label=_("Asked by"), value=run.asked_by, help=amounts.moment(run.asked_at)),
        Fact(label=_("GPUs"), value=_gpus(run)),
        *_secure(run),
    ]
    if run.continues:
        rows.append(_continued(run.continues, run.continues_step))
    if run.started_at:
        waited_s = max(int((run.started_at - run.asked_at).total_seconds()), 0)
        said = _("after a wait of %(time)s") % {"time": words.duration(waited_s)}
        rows.append(Fact(label=_("Started"), value=amounts.moment(run.started_at), help=said))
    if run.starts > 1:
        said = _("The run stopped, saved and went on: it stays one run with one bill.")
        rows.append(Fact(label=_("Parts"), value=amounts.number(run.starts), help=said))
    if run.ended_at:
        took = words.duration(run.elapsed_s)
        rows.append(Fact(label=_("Ended"), value=amounts.moment(run.ended_at), help=took))
    return rows


def bill(run: Run) -> list[Fact]:
    rows = [
        Fact(label=_("Expected"), value=amounts.gpu_hours(run.gpu_seconds_estimated)),
        Fact(
            label=_("Set aside"),
            value=amounts.gpu_hours(run.gpu_seconds_held),
            help=_("What is not used comes back when the run ends."),
        ),
    ]
    if run.gpu_seconds_used is not None:
        rows.append(Fact(label=_("Used"), value=amounts.gpu_hours(run.gpu_seconds_used)))
    if drawn := energy.used(run):
        rows.append(Fact(label=_("Energy"), value=drawn.said, help=drawn.method))
    paid = Fact(
        label=_("Paid from"),
        value=run.allocation.account,
        url=run.allocation.get_absolute_url(),
    )
    return [*rows, paid]


def knobs(run: Run) -> list[Fact]:
    """Tell what was set, in the recipe's words; if it is gone, by the bare names."""
    rows = [
        Fact(label=knob.title, value=knob.said_with_unit(value) or "–")
        for knob, value in offers.chosen(run.recipe, run.knobs)
    ]
    if run.recipe in rules.INTERACTIVE:
        return rows  # nothing in it is drawn by lot
    return [*rows, Fact(label=_("Seed"), value=str(run.seed))]


def _continued(earlier: Run, step: int | None) -> Fact:
    said = _("from step %(step)s") % {"step": amounts.number(step)} if step else ""
    url = earlier.get_absolute_url()
    return Fact(label=_("Continues"), value=earlier.code, url=url, help=said)


def _dry(run: Run, *, inside: bool) -> list[Fact]:
    """Say of a dry run that it is one, and what it measured."""
    if not run.is_dry:
        return []
    found = tried.measured(run) if inside else None
    said = found.says() if found else _("It makes no model: it measures ten steps.")
    return [Fact(label=_("Dry run"), value=said)]


def _trial(run: Run) -> list[Fact]:
    """Say of a trial that its score is what counts."""
    if not run.is_trial:
        return []
    said = _("Its score is compared with that of others; the model it makes is not kept.")
    if run.until_share < 1:
        said = _("It does the first %(share)s of its steps, and its score is compared.")
        said %= {"share": f"{amounts.number(100 * run.until_share, 1)}{percent_sign()}"}
    return [Fact(label=_("Trial"), value=said)]


def _secure(run: Run) -> list[Fact]:
    if not run.is_secure:
        return []
    said = _(
        "This runs on the secure part of the machine. Its log stays there, and what it makes "
        "goes out only after the owner of the data looked at it."
    )
    return [Fact(label=_("Where"), value=_("Secure part"), help=said)]


def _gpus(run: Run) -> str:
    if run.nodes == 1:
        return amounts.number(run.gpus)
    said = {"gpus": amounts.number(run.gpus), "nodes": amounts.number(run.nodes)}
    return _("%(gpus)s over %(nodes)s nodes") % said
