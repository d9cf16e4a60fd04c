"""The life of an agreement on data. Read this file first."""

from django.db import models
from django.utils.translation import gettext_lazy as _

from fabriek.kernel.lifecycle import Lifecycle


class AgreementState(models.TextChoices):
    ASKED = "asked", _("asked")  # by who wants the data, and signed by them
    OFFERED = "offered", _("offered")  # by who owns it, and signed by them
    IN_FORCE = "in_force", _("in force")
    REFUSED = "refused", _("refused")
    WITHDRAWN = "withdrawn", _("taken back")  # by who began it, before all had signed
    ENDED = "ended", _("ended")  # its last day came
    REVOKED = "revoked", _("revoked")  # by the owner, before that day
    REPLACED = "replaced", _("replaced")  # another text took its place, and holds instead


WAITING = frozenset({AgreementState.ASKED, AgreementState.OFFERED})
OVER = frozenset(
    {
        AgreementState.REFUSED,
        AgreementState.WITHDRAWN,
        AgreementState.ENDED,
        AgreementState.REVOKED,
        AgreementState.REPLACED,
    }
)

AGREEMENT = Lifecycle(
    ("conclude", WAITING, AgreementState.IN_FORCE),
    ("refuse", WAITING, AgreementState.REFUSED),
    ("withdraw", WAITING, AgreementState.WITHDRAWN),
    ("end", {AgreementState.IN_FORCE}, AgreementState.ENDED),
    ("revoke", {AgreementState.IN_FORCE}, AgreementState.REVOKED),
    ("replace", WAITING | {AgreementState.IN_FORCE}, AgreementState.REPLACED),
)
