"""What Slurm's own accounting says that runs held, to hold their bills against."""

from fabriek.engines.slurm_words import gpus
from tests.engines.cluster import said
from tests.engines.waiting import eventually


def held_by(*keys, stretches, within_s=30):
    """Give the GPU-seconds of each stretch by key, once all of them have ended there."""
    return eventually(lambda: _told(keys, stretches), within_s=within_s)


def _told(keys, stretches):
    """Ask once; None while the accounting does not know every end yet."""
    words = ["sacct", "-X", "-n", "-P", "--duplicates", "--allusers", "-S", "now-2hours"]
    rows = said(*words, f"--name={','.join(keys)}", "--format=JobName,End,ElapsedRaw,AllocTRES")
    held = {}
    for key, end, elapsed_s, tres in (row.split("|") for row in rows.splitlines()):
        if end == "Unknown":
            return None
        held.setdefault(key, []).append(int(elapsed_s) * gpus(tres))
    return held if sum(map(len, held.values())) >= stretches else None
