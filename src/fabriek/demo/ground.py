"""Whether the demo can begin: the engine is the one asked for, answers, and knows this home."""

from django.conf import settings
from django.core.management import CommandError

from fabriek.engines.base import EngineDown
from fabriek.runs.engine import engine
from fabriek.serve import isolation

OTHER = {"local": "slurm/jobs", "slurm": "jobs"}


def refuse_unfit(wanted: str) -> None:
    """Refuse before anything is made.

    Raises: CommandError.
    """
    if wanted != settings.ENGINE:
        raise CommandError(
            f"The engine here is {settings.ENGINE}: say `fabriek demo --engine {wanted}`, "
            f"or set FABRIEK_ENGINE={wanted}."
        )
    if _was_used_by_another(wanted):
        raise CommandError(
            f"{settings.HOME} was made with another engine, which alone knows its runs: "
            "set FABRIEK_HOME to another folder, or remove this one."
        )
    if wanted == "slurm":
        _refuse_silence()
        _refuse_shut_ways()


def _was_used_by_another(wanted: str) -> bool:
    """Look for the folders that the other one keeps, one for each job."""
    other = OTHER.get(wanted)
    return other is not None and any((settings.ENGINE_HOME / other).glob("*/"))


def _refuse_shut_ways() -> None:
    """Refuse to begin what would wait for an operator at its first run."""
    isolation.close_doors()
    if settings.UNIX_ACCOUNTS and (found := isolation.troubles()):
        raise CommandError(" ".join(f"{one.said}. {one.mend}" for one in found))


def _refuse_silence() -> None:
    try:
        engine().look(["fabriek-demo"])
    except EngineDown as silence:
        said = " ".join(str(silence).split())
        raise CommandError(
            f"No Slurm answers ({said}): run dev/slurm up, or set FABRIEK_SLURM_CONF."
        ) from silence
