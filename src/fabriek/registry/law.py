"""The facts of a model that the AI Act asks about: compute, data and energy."""

from django.utils.translation import gettext as _

from fabriek.kernel import words
from fabriek.kernel.facts import Fact
from fabriek.machine import drawn
from fabriek.registry.card import BASE_FLOP, GPAI_FLOP, number
from fabriek.registry.models import Model


def facts(model: Model) -> list[Fact]:
    """List them for its page; what is not known is said, not left out."""
    own, base = (number(model.facts.get(name)) for name in ("flop_estimate", BASE_FLOP))
    return [_compute(own, base), *([_base(base)] if model.base_id else []), _energy(model)]


def _compute(own: float | None, base: float | None) -> Fact:
    label = _("Training compute")
    if own is None:
        return Fact(label=label, value=_("not known"))
    if own + (base or 0) > GPAI_FLOP:
        help_ = _("Above the 10²³ FLOP from which a model is presumed a general-purpose one.")
    else:
        help_ = _("Below the 10²³ FLOP from which a model is presumed a general-purpose one.")
    return Fact(label=label, value=_flop(own), help=help_)


def _base(base: float | None) -> Fact:
    label = _("Training compute of the base model")
    if base is None:
        return Fact(label=label, value=_("its makers did not tell us"))
    return Fact(label=label, value=_flop(base), help=_("As it is declared for that model."))


def _energy(model: Model) -> Fact:
    found = drawn.of_line(model.run) if model.run else None
    label = _("Energy for training")
    if found is None:
        return Fact(label=label, value=_("not known"))
    return Fact(label=label, value=found.said, help=found.method)


def _flop(flop: float) -> str:
    """Write it as people write large powers of ten: 1,5 × 10¹⁵."""
    mantissa, _e, exponent = f"{flop:.1e}".partition("e")
    raised = str(int(exponent)).translate(RAISED)
    return _("%(mantissa)s × 10%(exponent)s FLOP") % {
        "mantissa": words.number(float(mantissa), 1),
        "exponent": raised,
    }


RAISED = str.maketrans("-0123456789", "⁻⁰¹²³⁴⁵⁶⁷⁸⁹")
