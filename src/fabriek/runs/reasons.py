"""What engines say of a run, in words with what to do: why it waits, and why it ended."""

import re
from collections.abc import Mapping
from dataclasses import dataclass
from functools import lru_cache

from django.utils.translation import gettext as _
from django.utils.translation import gettext_lazy, pgettext_lazy

from fabriek.kernel.errors import Text
from fabriek.kernel.words import number

WORD_MAX = 60

# Why a run ended, by the word of an engine or of `reconcile`.
ENDINGS: Mapping[str, Text] = {
    "exit": gettext_lazy(
        "The program stopped with a mistake. Read the end of the log, mend what it says and "
        "start again."
    ),
    "timeout": gettext_lazy(
        "The run took longer than the time it was given and was stopped. Continue it from its "
        "last checkpoint, or give it more time."
    ),
    "killed": gettext_lazy(
        "The machine ended the program from outside. Continue it from its last checkpoint; ask "
        "the factory when it happens again."
    ),
    "cancelled": gettext_lazy(
        "Somebody stopped the run. Go on with it below, or choose other settings."
    ),
    "paused": gettext_lazy(
        "The run is paused and its GPUs are free. It goes on where it was when you continue it."
    ),
    "paused_too_early": gettext_lazy(
        "The run was paused before it had learned anything to save. Start it again."
    ),
    "vanished": gettext_lazy(
        "The program disappeared, for instance because the machine failed or was restarted. "
        "Continue it from its last checkpoint."
    ),
    "preempted": gettext_lazy(
        "The run had to make room for work that goes first. Continue it from its last "
        "checkpoint."
    ),
    "out_of_memory": gettext_lazy(
        "There was too little memory. Choose fewer tokens per step or a smaller model, and "
        "start again."
    ),
    "no_progress": gettext_lazy(
        "The machine lets no run go on for so long at once, and this one had saved nothing new "
        "when it was stopped to go on later, so it would have begun anew for ever. Let it save "
        "more often, or start it again with less work."
    ),
    "not_requeued": gettext_lazy(
        "The machine lets no run go on for so long at once, and did not let this one go on "
        "later. Continue it from its last checkpoint; tell the factory when it happens again."
    ),
    "no_room": gettext_lazy(
        "The machine no longer has as many GPUs as this run asked for. Start it again with "
        "fewer GPUs."
    ),
    "silent": gettext_lazy(
        "The machine has not mentioned this run for half an hour. If it still turns up, its "
        "state and bill are corrected by themselves."
    ),
    # It was never taken: nothing was billed.
    "rejected": gettext_lazy(
        "The machine refused this run. Ask the factory what to change, and start again."
    ),
    "account_closed": gettext_lazy(
        "The GPU-hours of this case are closed on the machine. Ask the factory to open them."
    ),
    "account_unknown": gettext_lazy(
        "The machine does not know the account of this case. Ask the factory to open it, and "
        "start again."
    ),
    "over_budget": gettext_lazy(
        "The run could need more GPU-hours than this case has left on the machine. Give it "
        "less time, or ask for more GPU-hours."
    ),
    "over_limit": gettext_lazy(
        "The run asked for more than this case may use at once on the machine. Start it again "
        "with fewer GPUs or less time."
    ),
    "too_many_gpus": gettext_lazy(
        "This run asked for more GPUs than the machine has. Start it again with fewer GPUs."
    ),
    "too_many_nodes": gettext_lazy(
        "This run does not fit on the nodes of the machine. Start it again with fewer GPUs."
    ),
    "bad_timeout": gettext_lazy(
        "The machine does not take runs of this length. Start it again with another time."
    ),
    "unknown_recipe": gettext_lazy(
        "The factory no longer has this recipe. Choose another one."
    ),
    "checkpoints_too_large": gettext_lazy(
        "The run it was to go on from left more checkpoints than the factory copies. Nothing "
        "was billed. Run it again with other settings, or ask the factory's staff for more "
        "room."
    ),
    "no_secure_part": gettext_lazy(
        "This run may go to the secure part of the machine only, and there is none now. "
        "Nothing was billed. Ask the factory's staff when there will be one."
    ),
    "own_code_off": gettext_lazy(
        "The factory does not run people's own code any more. Nothing was billed. Use one of "
        "its recipes, or ask the helpdesk."
    ),
    "not_ready": gettext_lazy(
        "The factory could not get the run ready: its disk may be full. Nothing was billed. "
        "Start it again later."
    ),
    # The words of a decision about data, see `use.ending_of`.
    "data_ended": gettext_lazy(
        "The agreement on the data of this run ended, so the factory stopped it. Ask the owner "
        "of the data to prolong the agreement, and start again."
    ),
    "data_revoked": gettext_lazy(
        "The owner of the data revoked the agreement on it, so the factory stopped this run. "
        "Read why on the page of the agreement, and ask the owner what is needed."
    ),
    "data_would_outlast": gettext_lazy(
        "When its turn came, this run could have lasted longer than the agreement on its data. "
        "Nothing was billed. Start it again with less time, or ask the owner of the data to "
        "prolong the agreement."
    ),
    **dict.fromkeys(
        (
            "data_not_yours",
            "data_not_agreed",
            "data_not_signed",
            "data_not_begun",
            "data_not_named",
            "data_not_beside",
            "data_stays_here",
            "data_no_own_code",
            "data_looked_at_first",
            "data_no_secure_place",
            "data_stays_secure",
            "data_made_secure",
            "data_other_purpose",
            "data_only_research",
            "data_makes_too_much",
            "data_weights_stay",
            "data_waits_for_review",
            "data_held_back",
        ),
        gettext_lazy(
            "The agreement on the data of this run does not allow it any more. Look at what is "
            "agreed on the page of the dataset, and ask its owner for more if you need it."
        ),
    ),
} | dict.fromkeys(
    # Nothing a reader did: the factory made a job that cannot be.
    ("bad_key", "bad_command", "bad_user", "no_folder"),
    gettext_lazy(
        "The factory made a mistake in sending this run. Nothing was billed. Tell the factory, "
        "and name the code of the run."
    ),
)


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


def waiting(position: int | None, word: str) -> str:
    """Say where a run stands and why it waits; nothing when the engine did not tell."""
    wait = _wait(word)
    said = []
    if position and (wait is None or wait.in_turn):
        said.append(_place(position))
    if wait is None:
        said += [_unknown(word)] if word else []
    elif wait is not TURN or not said:
        said.append(str(wait.sentence))
    return " ".join(said)


def needs_you(word: str) -> bool:
    """Whether a run that waits for this does not go on by itself."""
    wait = _wait(word)
    return wait is not None and wait.needs_you


def ending(word: str) -> str:
    """Say why a run ended and what to do."""
    return str(ENDINGS[word]) if word in ENDINGS else _unknown(word) if word else ""


@lru_cache(maxsize=512)
def _wait(word: str) -> Wait | None:
    return next((wait for wait, pattern in WAITS if pattern.fullmatch(word)), None)


def _place(position: int) -> str:
    if position <= len(PLACES):
        place = PLACES[position - 1]
        return _("Your run is %(place)s in the queue.") % {"place": place}
    return _("Your run is number %(place)s in the queue.") % {"place": number(position)}


def _unknown(word: str) -> str:
    return _("The cluster says: %(word)s") % {"word": word}
