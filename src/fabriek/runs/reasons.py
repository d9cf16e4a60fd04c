"""Why a run ended, in words with what to do."""

from collections.abc import Mapping

from django.utils.translation import gettext_lazy

from fabriek.kernel.errors import Text
from fabriek.runs import waits

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
    "no_gpus": gettext_lazy(
        "The machine started the run several times without giving it the GPUs it asked for. "
        "Nothing is wrong with the run. Tell the factory, and start it again."
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
    "too_long_at_once": gettext_lazy(
        "The machine lets no session last for so long. Nothing was billed. Begin one with less "
        "time."
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


def ending(word: str) -> str:
    """Say why a run ended and what to do."""
    return str(ENDINGS[word]) if word in ENDINGS else waits.unknown(word) if word else ""
