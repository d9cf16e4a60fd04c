"""Under which account a run works: not where people in a session could reach what it reads.

All that runs as one Unix account can read each other's folders, and one of them may be a
session of somebody whom the data is not meant for, or in which it may not be at all.
"""

import hashlib
from collections.abc import Iterable

from django.db import transaction

from fabriek.agreements import circles, policy
from fabriek.agreements.circles import EVERYBODY, Circle
from fabriek.agreements.models import Product
from fabriek.agreements.policy import Moment
from fabriek.cases.models import Case
from fabriek.runs.models import Run
from fabriek.runs.wish import Wish
from fabriek.store.models import Repository
from fabriek_recipes.recipe import runnable

Source = tuple[Repository, int | None]

OWN = ""  # that of the case itself
LENT = "l"  # only recipes of the factory work there, and nobody is let in
LETTERS = 6  # of what stands for a circle


def ending(wish: Wish, case: Case, begins_with: Iterable[Source]) -> str:
    """Give what is put behind the account of the case; nothing where all of it may see all.

    `begins_with`: what the run has read whose files this one has at its start.
    """
    inputs = [(one.repository, one.number) for one in wish.inputs.values()]
    return _ending(wish.recipe, case, [*inputs, *begins_with])


def meant_for(wishes: Iterable[policy.Wish]) -> str:
    """Give who could have asked for this too, as `Run.meant_for` keeps it.

    `wishes`: what the run does with each of what it works on, for nobody in particular.
    """
    return _written(circles.together(map(circles.of, wishes)))


def narrow(run: Run, wish: policy.Wish) -> None:
    """Show the run from now on only to those who could have asked for it on this, too."""
    more = circles.of(wish)
    if more == EVERYBODY:
        return
    with transaction.atomic():
        # As it stands now: another fetch may have narrowed it a moment ago.
        now = Run.objects.select_for_update(no_key=True).only("meant_for").get(pk=run.pk)
        run.meant_for = _written(_read(now.meant_for) & more)
        Run.objects.filter(pk=run.pk).update(meant_for=run.meant_for)


def narrowest(several: Iterable[str]) -> str:
    """Give whom all of these mean, each as `meant_for` gives it."""
    return _written(circles.together(map(_read, several)))


def _read(meant_for: str) -> Circle:
    keys = [int(key) for key in meant_for.split(",") if key]
    return Circle(frozenset(keys)) if meant_for else EVERYBODY


def _written(found: Circle) -> str:
    if found.members is None:
        return ""
    return f",{','.join(str(key) for key in sorted(found.members))},"


def is_fit(run: Run, sources: Iterable[Source]) -> bool:
    """Tell whether it may have these besides what it has: it stays where it is.

    Nobody's session shares an account with a run of LENT, so that more may come there. Where
    all cases are one account, nothing is kept apart.
    """
    if run.is_secure or run.apart == LENT or not run.unix_account:
        return True
    return _ending(run.recipe, run.case, sources) in {OWN, run.apart}


def _ending(recipe: str, case: Case, sources: Iterable[Source]) -> str:
    if is_private(recipe):
        return LENT
    found = circle(case, sources)
    if found == EVERYBODY:
        return OWN
    return _named(found) if lets_people_in(recipe) else LENT


def circle(case: Case, sources: Iterable[Source]) -> Circle:
    """Give who of the case may have all of these in hands, each in a session of their own."""
    wishes = (_in_a_session(case, *source) for source in sources)
    return circles.together(map(circles.of, wishes))


def lets_people_in(recipe: str) -> bool:
    """Tell whether people run programs of their own in it; so does what is not known."""
    known = runnable().get(recipe)
    return known is None or (known.lasts_as_asked and not known.answers_only)


def is_private(recipe: str) -> bool:
    """Tell whether what lies in its folder is one person's: what they ask a model."""
    known = runnable().get(recipe)
    return known is not None and known.answers_only


def _in_a_session(case: Case, repository: Repository, number: int | None) -> policy.Wish:
    return policy.Wish(
        moment=Moment.RUN,
        repository=repository,
        case=case,
        purpose=policy.ANYTHING,
        makes=Product.MODEL_WEIGHTS,
        leaves=True,
        revision=number,
    )


def _named(found: Circle) -> str:
    """Name the same for the same organisations, whichever data brought them together."""
    members = ",".join(str(key) for key in sorted(found.members or ()))
    return hashlib.sha256(members.encode()).hexdigest()[:LETTERS]
