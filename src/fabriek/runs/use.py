"""What a run does with its inputs, as the one place that decides about data asks it."""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from datetime import timedelta

from django.utils import timezone
from django.utils.translation import gettext as _

from fabriek.agreements import policy, reasons
from fabriek.agreements.models import Product, Purpose
from fabriek.agreements.policy import Moment
from fabriek.agreements.traces import Decided
from fabriek.cases.models import Case
from fabriek.kernel.errors import Invalid, NotAllowed
from fabriek.people.models import Person
from fabriek.runs.models import Run, RunInput
from fabriek.store.models import Repository, Revision
from fabriek_recipes.kinds import Recipe
from fabriek_recipes.recipe import runnable

# Before the words of a decision, where they tell why a run ended.
ENDING = "data_"


@dataclass(frozen=True, kw_only=True, slots=True)
class Use:
    """What is to be done, for which case. `timeout_s` empty: how long is not known yet.

    `by`: who asks; empty when the factory goes on with what `asked_by` asked before.
    """

    recipe: str
    case: Case
    by: Person | None = None
    timeout_s: int | None = None
    run: str = ""
    asked_by: Person | None = None


def check(use: Use, inputs: Mapping[str, Revision]) -> dict[str, Revision]:
    """Refuse what would be denied, before a byte is looked at; only the denial is logged.

    Gives those that an agreement allows: for them it matters how long the use takes.

    Raises:
        Invalid: it is of another case, or there is no such thing: the answer is the same.
        NotAllowed: no agreement allows this, with the reason.
    """
    agreed = {}
    for name, revision in inputs.items():
        wish = _wish(use, revision)
        decision = policy.would(wish)
        if not decision.allowed:
            _refuse(policy.decide(wish), revision, use.case)
        if decision.agreement:
            agreed[name] = revision
    return agreed


def note(run: Run, *, by: Person) -> None:
    """Log under which agreements a run was asked for, and remember them with its inputs."""
    use = Use(recipe=run.recipe, case=run.case, by=by, timeout_s=run.timeout_s, run=run.code)
    for row in inputs_of(run):
        _remember(run, row, policy.decide(_wish(use, row.revision)))


def denial(run: Run) -> str:
    """Decide once more, as the run is about to start; give why it may not, or nothing.

    It may have waited for days, in which an agreement ended or was revoked.
    """
    use = _of(run, timeout_s=run.timeout_s)
    for row in inputs_of(run):
        for wish in (_wish(use, row.revision), _laid_out(use, row.revision)):
            decision = policy.decide(wish)
            if not decision.allowed:
                return ending_of(decision)
        _remember(run, row, decision)
    return ""


def may_go_on(run: Run) -> bool:
    """Tell whether what the run works on may still be worked on now; nothing is logged."""
    use = _of(run)
    return all(policy.would(_wish(use, row.revision)).allowed for row in inputs_of(run))


def may_leave(run: Run, person: Person) -> policy.Decision | None:
    """Give what denies this person to work inside a run in which they could carry data away."""
    use = Use(recipe=run.recipe, case=run.case, by=person, run=run.code)
    for row in inputs_of(run):
        decision = policy.would(_wish(use, row.revision))
        if not decision.allowed:
            return policy.decide(_wish(use, row.revision))
    return None


def terms_of(run: Run) -> tuple[set[int], set[int]]:
    """Give the keys of the agreements by which the run read, and of all that it read.

    Laid out for it, or fetched while it ran: what it made descends from these.
    """
    line = list(line_of(run))
    rows = RunInput.objects.filter(run__in=line)
    read = Decided.objects.filter(run__in=[one.code for one in line], allowed=True)
    agreements = {*rows.values_list("agreement", flat=True)}
    agreements |= {*read.values_list("agreement", flat=True)}
    sources = {*rows.values_list("revision__repository", flat=True)}
    sources |= {*read.values_list("repository", flat=True)}
    return {key for key in agreements if key is not None}, sources


def ending_of(decision: policy.Decision) -> str:
    """Give the word under which `reasons` of runs tells such an end."""
    return f"{ENDING}{decision.code}"[:40]


def _of(run: Run, *, timeout_s: int | None = None) -> Use:
    return Use(
        recipe=run.recipe,
        case=run.case,
        timeout_s=timeout_s,
        run=run.code,
        asked_by=run.asked_by,
    )


def _wish(use: Use, revision: Revision) -> policy.Wish:
    recipe = runnable().get(use.recipe)
    longest = use.timeout_s
    return policy.Wish(
        moment=Moment.RUN,
        repository=revision.repository,
        person=use.by,
        case=use.case,
        until=timezone.now() + timedelta(seconds=longest) if longest is not None else None,
        purpose=_purpose(recipe),
        makes=_makes(recipe),
        leaves=recipe is None or recipe.is_interactive,
        revision=revision.number,
        run=use.run,
        on_behalf_of=use.asked_by,
    )


def _laid_out(use: Use, revision: Revision) -> policy.Wish:
    return policy.Wish(
        moment=Moment.READ,
        repository=revision.repository,
        case=use.case,
        revision=revision.number,
        run=use.run,
        on_behalf_of=use.asked_by,
    )


def _purpose(recipe: Recipe | None) -> str:
    """Name it by the recipe: one that makes no model measures one; of a lab nobody knows."""
    if recipe is None or recipe.is_interactive:
        return policy.ANYTHING
    return Purpose.TRAINING if recipe.makes_model else Purpose.EVALUATION


def _makes(recipe: Recipe | None) -> str:
    """Name the least that must be allowed; whether weights may leave is decided later."""
    if recipe is None or recipe.is_interactive:
        return Product.MODEL_WEIGHTS
    return Product.MODEL_API if recipe.makes_model else Product.STATISTICS


def inputs_of(run: Run) -> list[RunInput]:
    """Give what a run works on, and what those worked on whose files it begins with."""
    chain = list(line_of(run))
    rows = RunInput.objects.filter(run__in=chain)
    return list(rows.select_related("revision__repository__case").order_by("pk"))


def line_of(run: Run) -> Iterator[Run]:
    """Give the run, the one that it goes on with, and so on."""
    seen = set()
    one: Run | None = run
    while one is not None and one.pk not in seen:
        seen.add(one.pk)
        yield one
        one = one.continues


def _remember(run: Run, row: RunInput, decision: policy.Decision) -> None:
    found = decision.agreement.pk if decision.agreement and decision.allowed else None
    if row.run_id == run.pk and row.agreement_id != found:
        RunInput.objects.filter(pk=row.pk).update(agreement=found)


def _refuse(decision: policy.Decision, revision: Revision, case: Case) -> None:
    if decision.allowed:
        return  # an agreement came into force this very moment
    if decision.code == reasons.NOT_YOURS:
        kind = Repository.Kind(revision.repository.kind).label
        raise Invalid(
            _("%(input)s belongs to another case. Choose data or a model of %(case)s.")
            % {"input": kind, "case": case.code},
            code="input_of_another_case",
        )
    raise NotAllowed(decision.sentence, code=decision.code)
