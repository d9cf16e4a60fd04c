"""What somebody wants to run, and how much of the machine that may be."""

from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from uuid import UUID, uuid4

from django.utils.translation import gettext as _

from fabriek.kernel.errors import Invalid
from fabriek.runs import engine, prices, rules, tried
from fabriek.runs.saved_in import SavedIn
from fabriek.store.models import Revision

GPUS_MAX = 1024
TIMEOUT_LEAST_S = 60
SEED_MAX = 2**31 - 1


@dataclass(frozen=True, kw_only=True, slots=True)
class Wish:
    """What somebody wants to run. `timeout_s` empty: three times the estimate.

    `gpus` counts all of them, over all `nodes`. `is_dry`: measure a few steps, on one GPU where
    that holds the model, so that the price can be corrected; no model is made.

    `is_trial`: it is one of several that are compared, and what it makes is not registered.
    `until_share`: it ends after this part of its steps and keeps where to go on from;
    `since_share` is what the run that it goes on from did before, for the price alone.

    `saved_in`: where the answers go, of a recipe that writes some; empty: they stay with it.

    `wish_id` makes sending it again harmless, as when a button is pressed twice.
    """

    recipe: str
    knobs: Mapping[str, object] = field(default_factory=dict)
    inputs: Mapping[str, Revision] = field(default_factory=dict)
    gpus: int = 1
    nodes: int = 1
    seed: int = 1
    timeout_s: int | None = None
    is_dry: bool = False
    is_trial: bool = False
    since_share: float = 0.0
    until_share: float = 1.0
    saved_in: SavedIn | None = None
    wish_id: UUID = field(default_factory=uuid4)


def small(wish: Wish) -> Wish:
    """Give a dry run one GPU for some minutes, as far as its settings allow."""
    if not wish.is_dry:
        return wish
    return replace(wish, gpus=tried.GPUS, nodes=tried.NODES, timeout_s=tried.TIMEOUT_S)


def check_limits(wish: Wish) -> None:
    if wish.until_share < 1 and wish.recipe not in rules.SAVES:
        raise Invalid(
            _("This recipe does not save in between, so it cannot be run in parts."),
            code="no_parts",
        )
    if not 1 <= wish.gpus <= GPUS_MAX:
        raise Invalid(
            _("Choose 1 to %(most)d GPUs.") % {"most": GPUS_MAX},
            fields={"gpus": _("This is too few or too many.")},
        )
    _check_nodes(wish)
    if not 0 <= wish.seed <= SEED_MAX:
        raise Invalid(
            _("Choose a seed from 0 to %(most)d.") % {"most": SEED_MAX},
            fields={"seed": _("This is too low or too high.")},
        )
    if (
        wish.timeout_s is not None
        and not TIMEOUT_LEAST_S <= wish.timeout_s <= prices.TIMEOUT_MAX_S
    ):
        raise Invalid(
            _("Give the run at least one minute and at most seven days."),
            fields={"timeout_s": _("This is too short or too long.")},
        )


def _check_nodes(wish: Wish) -> None:
    most = 1 if wish.recipe in rules.INTERACTIVE else engine.nodes_most()
    if not 1 <= wish.nodes <= most:
        several = _("Choose 1 to %(most)d nodes.") % {"most": most}
        raise Invalid(
            several if most > 1 else _("This runs on one node only."),
            code="too_many_nodes",
            fields={"nodes": _("This is too few or too many.")},
        )
    if wish.gpus % wish.nodes:
        said = _(
            "%(gpus)d GPUs cannot be spread evenly over %(nodes)d nodes. Choose a number of "
            "GPUs that can be divided by %(nodes)d."
        )
        said %= {"gpus": wish.gpus, "nodes": wish.nodes}
        raise Invalid(said, code="uneven_nodes", fields={"gpus": said})
