"""What a run does with its inputs, as the one place that decides about data asks it."""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, replace
from datetime import timedelta

from django.utils import timezone
from django.utils.translation import gettext as _

from fabriek.agreements import policy, reasons, secure_part
from fabriek.agreements.models import Product, Purpose
from fabriek.agreements.policy import Moment
from fabriek.cases.models import Case
from fabriek.kernel.errors import Invalid, NotAllowed
from fabriek.people.models import Person
from fabriek.runs import apart, lineage
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
    `is_secure`: on the secure part of the machine.
    """

    recipe: str
    case: Case
    by: Person | None = None
    timeout_s: int | None = None
    run: str = ""
    asked_by: Person | None = None
    is_secure: bool = False


def placed(use: Use, inputs: Mapping[str, Revision]) -> Use:
    """Send it to the secure part of the machine where only that lets it work on something."""
    recipe = runnable().get(use.recipe)
    if recipe is None or recipe.lasts_as_asked or not secure_part.exists():
        return use
    inside = replace(use, is_secure=True)
    for one in inputs.values():
        outside, there = (_wish(at, one.repository, one.number) for at in (use, inside))
        if not policy.would(outside).allowed and policy.would(there).allowed:
            return inside
    return use


def check(use: Use, inputs: Mapping[str, Revision]) -> dict[str, Revision]:
    """Refuse what would be denied, before a byte is looked at; only the denial is logged.

    Gives those that an agreement allows: for them it matters how long the use takes.

    Raises:
        Invalid: it is of another case, or there is no such thing: the answer is the same.
        NotAllowed: no agreement allows this, with the reason.
    """
    agreed = {}
    for name, revision in inputs.items():
        wish = _wish(use, revision.repository, revision.number)
        decision = policy.would(wish)
        if not decision.allowed:
            _refuse(policy.decide(wish), revision.repository, use.case)
        if decision.agreement:
            agreed[name] = revision
    return agreed


def would(use: Use, revision: Revision) -> policy.Decision:
    """Say what would be decided of one input, for a page; nothing is logged."""
    return policy.would(_wish(use, revision.repository, revision.number))


def check_carried(use: Use, earlier: Run) -> None:
    """Refuse a session whose first files may hold copies of what is denied.

    Raises: Invalid, NotAllowed, as `check` does.
    """
    for repository, number in lineage.worked_on(earlier):
        wish = _wish(use, repository, number)
        if not policy.would(wish).allowed:
            _refuse(policy.decide(wish), repository, use.case)


def wishes(use: Use, inputs: Iterable[Revision], earlier: Run | None) -> list[policy.Wish]:
    """Give what it does with each thing; `earlier`: the run whose files it begins with."""
    own = [_wish(use, one.repository, one.number) for one in inputs]
    before = lineage.worked_on(earlier) if earlier else []
    return [*own, *(_wish(use, *one) for one in before)]


def note(run: Run, *, by: Person) -> None:
    """Log under which agreements a run was asked for, and remember them with its inputs."""
    use = replace(_of(run, timeout_s=run.timeout_s), by=by, asked_by=None)
    for row in lineage.inputs_of(run):
        about = row.revision
        _remember(run, row, policy.decide(_wish(use, about.repository, about.number)))


def denial(run: Run) -> str:
    """Decide once more, as the run is about to start; give why it may not, or nothing.

    It may have waited for days, in which an agreement ended or was revoked, or who asked for it
    left the consortium.
    """
    use = _of(run, timeout_s=run.timeout_s)
    for row in lineage.inputs_of(run):
        repository, number = row.revision.repository, row.revision.number
        for wish in (_wish(use, repository, number), _laid_out(use, repository, number)):
            decision = policy.decide(wish)
            if not decision.allowed:
                return ending_of(decision)
        _remember(run, row, decision)
    for one in lineage.fetched_by(run):  # by an earlier one, whose files it begins with
        decision = policy.decide(_wish(use, *one))
        if not decision.allowed:
            return ending_of(decision)
    return ""


def may_go_on(run: Run) -> bool:
    """Tell whether what the run works on may still be worked on now; nothing is logged."""
    use = _of(run)
    return all(policy.would(_wish(use, *one)).allowed for one in lineage.worked_on(run))


def may_keep(run: Run, repository: Repository) -> bool:
    """Tell whether the copies that a run has of this may stay; nothing is logged."""
    return policy.would(_laid_out(_of(run), repository, None)).allowed


def may_leave(run: Run, person: Person) -> policy.Decision | None:
    """Give what denies this person to work inside a run in which they could carry data away.

    What was fetched in there counts as what was laid out.
    """
    use = Use(recipe=run.recipe, case=run.case, by=person, run=run.code)
    for one in lineage.worked_on(run):
        wish = _wish(use, *one)
        if not policy.would(wish).allowed:
            return policy.decide(wish)
    return None


def fetch(
    run: Run, repository: Repository, number: int | None, *, inside: Iterable[Person] = ()
) -> policy.Decision:
    """Decide whether the job of a run gets data by its key: as if it had been laid out for it.

    First whether such a run may work on it, for as long as it may still take: only what it is
    given counts as read, and binds what it makes. Of a denial one line is written. `inside`:
    who was in the session, where they could have taken the key.
    """
    use = _of(run, timeout_s=_left_s(run))
    works = [_wish(use, repository, number)]
    works += [_wish(replace(use, by=one), repository, number) for one in inside]
    for work in works:
        if not policy.would(work).allowed:
            return policy.decide(work)
    if not apart.is_fit(run, [(repository, number)]):
        return policy.deny(works[0], "not_beside")
    decision = policy.decide(_laid_out(use, repository, number))
    if decision.allowed:
        apart.narrow(run, replace(works[0], on_behalf_of=None))
    return decision


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
        is_secure=run.is_secure,
    )


def _left_s(run: Run) -> int:
    """Give for how long it may still be at work; one that was started again counts anew."""
    if run.started_at is None or run.starts > 1:
        return run.timeout_s
    ends_at = run.started_at + timedelta(seconds=run.timeout_s)
    return max(0, int((ends_at - timezone.now()).total_seconds()))


def _wish(use: Use, repository: Repository, number: int | None) -> policy.Wish:
    recipe = runnable().get(use.recipe)
    longest = use.timeout_s
    return policy.Wish(
        moment=Moment.RUN,
        repository=repository,
        person=use.by,
        case=use.case,
        until=timezone.now() + timedelta(seconds=longest) if longest is not None else None,
        purpose=_purpose(recipe),
        makes=_makes(recipe),
        leaves=_is_worked_in(recipe),
        answers=recipe is not None and recipe.answers_only,
        unseen=recipe is not None and recipe.is_own_code,
        is_secure=use.is_secure,
        revision=number,
        run=use.run,
        on_behalf_of=use.asked_by,
    )


def _laid_out(use: Use, repository: Repository, number: int | None) -> policy.Wish:
    return policy.Wish(
        moment=Moment.READ,
        repository=repository,
        case=use.case,
        is_secure=use.is_secure,
        revision=number,
        run=use.run,
        on_behalf_of=use.asked_by,
    )


def _purpose(recipe: Recipe | None) -> str:
    """Name it by the recipe: one that makes no model measures one; of a lab nobody knows."""
    if recipe is None or _is_worked_in(recipe):
        return policy.ANYTHING
    return Purpose.TRAINING if recipe.makes_model else Purpose.EVALUATION


def _makes(recipe: Recipe | None) -> str:
    """Name the least that must be allowed; whether weights may leave is decided later."""
    if recipe is None or _is_worked_in(recipe):
        return Product.MODEL_WEIGHTS
    asks_a_model = recipe.makes_model or recipe.answers_only
    return Product.MODEL_API if asks_a_model else Product.STATISTICS


def _is_worked_in(recipe: Recipe | None) -> bool:
    """Whether people have files and programs of their own in it; of the unknown, yes."""
    return recipe is None or (recipe.lasts_as_asked and not recipe.answers_only)


def _remember(run: Run, row: RunInput, decision: policy.Decision) -> None:
    found = decision.agreement.pk if decision.agreement and decision.allowed else None
    if row.run_id == run.pk and row.agreement_id != found:
        RunInput.objects.filter(pk=row.pk).update(agreement=found)


def _refuse(decision: policy.Decision, repository: Repository, case: Case) -> None:
    if decision.allowed:
        return  # an agreement came into force this very moment
    if decision.code == reasons.NOT_YOURS:
        kind = Repository.Kind(repository.kind).label
        raise Invalid(
            _("%(input)s belongs to another case. Choose data or a model of %(case)s.")
            % {"input": kind, "case": case.code},
            code="input_of_another_case",
        )
    raise NotAllowed(decision.sentence, code=decision.code)
