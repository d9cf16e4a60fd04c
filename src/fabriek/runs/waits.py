"""Why a run waits, in words with what to do: what engines say of one that does not run yet."""

import re
from dataclasses import dataclass
from functools import lru_cache

from django.utils.translation import gettext as _
from django.utils.translation import gettext_lazy, pgettext_lazy

from fabriek.kernel.errors import Text
from fabriek.kernel.words import number

WORD_MAX = 60


@dataclass(frozen=True, kw_only=True, slots=True)
class Wait:
    """A kind of waiting.

    `needs_you`: it does not end by itself. `in_turn`: the place in the queue says how long.
    """

    sentence: Text
    needs_you: bool = False
    in_turn: bool = False


TURN = Wait(sentence=gettext_lazy("The run waits for its turn."), in_turn=True)
ROOM = Wait(
    sentence=gettext_lazy("The run starts as soon as what it needs is free."), in_turn=True
)
LATER = Wait(
    sentence=gettext_lazy(
        "The cluster starts this run later, at a time that is set. You need to do nothing."
    )
)
OTHER_RUN = Wait(
    sentence=gettext_lazy("The run waits until another run has ended. You need to do nothing.")
)
LIMIT = Wait(
    sentence=gettext_lazy(
        "No more may run at the same time now: a limit of the cluster is reached. The run "
        "starts when other runs end. If none is running, stop this run and start it again "
        "with fewer GPUs."
    )
)
OUT_OF_SERVICE = Wait(
    sentence=gettext_lazy(
        "The machines that this run needs are out of service or set aside for other work. The "
        "run waits for them. Ask the factory how long that takes."
    )
)
BUDGET = Wait(
    sentence=gettext_lazy(
        "The budget of this case on the cluster is used up, or too small for this run. Ask the "
        "factory for an extension."
    ),
    needs_you=True,
)
TOO_LONG = Wait(
    sentence=gettext_lazy(
        "The run asks for more time than the cluster allows, so it does not start. Stop it, "
        "and start it again with less time."
    ),
    needs_you=True,
)
MISFIT = Wait(
    sentence=gettext_lazy(
        "The run asks for something that this cluster does not have or does not allow, so it "
        "does not start. Stop it, and start it again with fewer GPUs, or ask the factory what "
        "fits."
    ),
    needs_you=True,
)
NEVER = Wait(
    sentence=gettext_lazy(
        "The run waits for another run that did not succeed, so it will never start. Stop it, "
        "and start it again."
    ),
    needs_you=True,
)
HELD = Wait(
    sentence=gettext_lazy(
        "The run is held on the cluster and does not start by itself. Ask the factory to "
        "release it, and name the code of the run."
    ),
    needs_you=True,
)
BROKEN = Wait(
    sentence=gettext_lazy(
        "Starting the run went wrong on the cluster, and it may not start by itself. Ask the "
        "factory to look at it, and name the code of the run."
    ),
    needs_you=True,
)
NOT_LET_IN = Wait(
    sentence=gettext_lazy(
        "The cluster does not let the account of this case in. Ask the factory to put that "
        "right, and name the code of the run."
    ),
    needs_you=True,
)
ACCOUNT = Wait(
    sentence=gettext_lazy(
        "The factory is still making the place where only this case can work, and the run "
        "waits for it. If that takes more than an hour, ask the factory, and name the code of "
        "the run."
    )
)
BRINGING = Wait(
    sentence=gettext_lazy(
        "The data of this run is being brought from the store to the machine. It goes on by "
        "itself when all is there."
    )
)
STORE = Wait(
    sentence=gettext_lazy(
        "The store of the factory does not answer, so the data of this run cannot be brought "
        "to the machine. It is tried again by itself."
    )
)

# By Slurm's words, the first that fits: job_reason_string() in src/common/slurm_protocol_defs.c
# of 22.05, and sentences of slurmctld as `plain` writes them. <slurm.schedmd.com/
# job_reason_codes.html> has newer ones, named in the same manner.
WAITS: tuple[tuple[Wait, re.Pattern[str]], ...] = tuple(
    (wait, re.compile(pattern))
    for wait, pattern in (
        (TURN, r"None|Priority|WaitingForScheduling|SchedDefer|Prolog|Cleaning|FedJobLock"),
        (ROOM, r"Resources|Licenses|BurstBuffer(Resources|StageIn|Operation)"),
        (LATER, r"BeginTime|Reservation"),
        (OTHER_RUN, r"Dependency"),
        (NEVER, r"DependencyNeverSatisfied"),
        (OUT_OF_SERVICE, r"Partition(Down|Inactive)|(FrontEnd|Node)Down|ReqNodeNotAvail"),
        (OUT_OF_SERVICE, r"Nodes_required_for_job_are_\w+|Power(NotAvail|Reserved)|Block\w+"),
        (LIMIT, r"(Assoc|QOS)Grp\w+RunMinutes(Limit)?"),
        (BUDGET, r"(Assoc|QOS)Grp(\w+Minutes|\w+MinutesLimit|WallLimit)"),
        (TOO_LONG, r"(Assoc|QOS)MaxWallDurationPerJobLimit|PartitionTimeLimit"),
        (MISFIT, r"(Assoc|QOS)Max\w+Per(Job|Node)(Limit)?|QOSMin\w+|MaxMemPerLimit"),
        (MISFIT, r"Partition(NodeLimit|Config)|BadConstraints|DeadLine"),
        (NOT_LET_IN, r"Invalid(Account|QOS)|(Account|QOS)NotAllowed"),
        # Words of our own, see JobHeldUp.
        (ACCOUNT, r"account_(hook|missing|not_ours|cannot_reach|other_number)|no_access_lists"),
        (BRINGING, r"data_on_its_way"),
        (STORE, r"store_down"),
        (LIMIT, r"(Assoc|QOS)(Grp|Max)\w+|Max\w+PerAccount|JobArrayTaskLimit"),
        (LIMIT, r"(Association|QOS)(Job|Resource|Time)Limit|AccountingPolicy"),
        (LIMIT, r"QOSUsageThreshold"),
        (BROKEN, r"JobHoldMaxRequeue|JobLaunchFailure|SystemFailure|\w+_requeued_held"),
        (BROKEN, r"NonZeroExitCode|OutOfMemory|TimeLimit|InactiveLimit"),
        (HELD, r"JobHeld(Admin|User)|ReservationDeleted|\w*held_state"),
    )
)
PLACES: tuple[Text, ...] = (
    pgettext_lazy("place in the queue", "first"),
    pgettext_lazy("place in the queue", "second"),
    pgettext_lazy("place in the queue", "third"),
    pgettext_lazy("place in the queue", "fourth"),
    pgettext_lazy("place in the queue", "fifth"),
    pgettext_lazy("place in the queue", "sixth"),
    pgettext_lazy("place in the queue", "seventh"),
    pgettext_lazy("place in the queue", "eighth"),
    pgettext_lazy("place in the queue", "ninth"),
    pgettext_lazy("place in the queue", "tenth"),
)


def plain(said: str) -> str:
    """Make one word of what an engine said, so that it stays the same while the run waits.

    Slurm adds which nodes it misses, and puts spaces or underscores in its sentences.
    """
    word = re.split(r"[,(:]", said, maxsplit=1)[0]
    return re.sub(r"\W+", "_", word, flags=re.ASCII).strip("_")[:WORD_MAX]


def sentence(position: int | None, word: str) -> str:
    """Say where a run stands and why it waits; nothing when the engine did not tell."""
    wait = _wait(word)
    said = []
    if position and (wait is None or wait.in_turn):
        said.append(_place(position))
    if wait is None:
        said += [unknown(word)] if word else []
    elif wait is not TURN or not said:
        said.append(str(wait.sentence))
    return " ".join(said)


def needs_you(word: str) -> bool:
    """Whether a run that waits for this does not go on by itself."""
    wait = _wait(word)
    return wait is not None and wait.needs_you


def unknown(word: str) -> str:
    """Pass on a word for which there is no sentence."""
    return _("The cluster says: %(word)s") % {"word": word}


@lru_cache(maxsize=512)
def _wait(word: str) -> Wait | None:
    return next((wait for wait, pattern in WAITS if pattern.fullmatch(word)), None)


def _place(position: int) -> str:
    if position <= len(PLACES):
        place = PLACES[position - 1]
        return _("Your run is %(place)s in the queue.") % {"place": place}
    return _("Your run is number %(place)s in the queue.") % {"place": number(position)}
