"""Programs of people's own: whether they may run here at all, and what is around them.

Like interactive work they are off where cases share an account: such a program could read
everybody's data there.
"""

from collections.abc import Iterator, Mapping
from pathlib import Path

from django.conf import settings
from django.utils.translation import gettext as _
from pydantic import BaseModel

from fabriek.engines.base import JobRejected
from fabriek.kernel.errors import Invalid, WrongState
from fabriek.runs import folders, walls
from fabriek.runs.models import Run
from fabriek.runs.words import told
from fabriek.store.models import Revision
from fabriek_recipes.kinds import Recipe
from fabriek_recipes.recipe import runnable
from fabriek_recipes.script.environment import HOME, INDEX
from fabriek_recipes.script.knobs import Knobs, environment_problems

# Between SIGTERM and SIGKILL: of our engine on one machine, and Slurm's own KillWait.
GRACE_S = {"local": 10, "slurm": 30}
FOLDER = "environments-{}"


def is_offered() -> bool:
    return bool(settings.OWN_CODE)


def require_offered(recipe: Recipe) -> None:
    """Refuse where nobody may run programs of their own. Raises: WrongState."""
    if recipe.is_own_code and not is_offered():
        raise WrongState(
            _(
                "This factory does not run people's own code. Use one of its recipes, or ask "
                "its helpdesk; who runs it finds how in the guide for operators."
            ),
            code="own_code_not_offered",
        )


def require_packages(recipe: Recipe, knobs: BaseModel, inputs: Mapping[str, Revision]) -> None:
    """Look whether all that an environment file asks for can be had, before it costs anything.

    The nodes use the same Python as the portal, so that it is known here what they have.

    Raises: Invalid.
    """
    if not recipe.is_own_code or not isinstance(knobs, Knobs) or "code" not in inputs:
        return
    with folders.laid_out({"code": inputs["code"]}) as paths:
        found = environment_problems(knobs, paths["code"], index=settings.PACKAGE_INDEX)
    if found:
        raise Invalid(" ".join(map(told, found)), code="bad_environment")


def environment(run: Run) -> Iterator[tuple[str, str]]:
    """Tell a job where it may keep packages, and from where it gets them; nothing of ours.

    Raises: JobRejected, where it is not offered any more.
    """
    recipe = runnable().get(run.recipe)
    if recipe is None or not recipe.is_own_code:
        return
    if not is_offered():
        raise JobRejected("This factory runs no code of people's own.", code="own_code_off")
    yield "FABRIEK_GRACE_S", str(GRACE_S.get(settings.ENGINE, GRACE_S["local"]))
    if settings.PACKAGE_INDEX:
        yield INDEX, settings.PACKAGE_INDEX
        yield HOME, str(packages_of(run))


def packages_of(run: Run) -> Path:
    """Name the folder in which jobs of one account keep what they installed.

    Runs on data that others lend have another account, and trust nothing that others of the
    case installed.
    """
    return Path(settings.RUNS_HOME) / FOLDER.format(run.unix_account or run.case.code)


def prepare(run: Run) -> None:
    """Make that folder for the account of the job, who alone comes into it.

    Raises: JobHeldUp, OSError.
    """
    recipe = runnable().get(run.recipe)
    if recipe is None or not recipe.is_own_code or not settings.PACKAGE_INDEX:
        return
    folder = packages_of(run)
    walls.raise_around(folder)
    if run.unix_account:
        walls.let_in(folder, run.unix_account)
