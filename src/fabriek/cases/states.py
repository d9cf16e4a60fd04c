"""The life of a case and of a partner in it. Read this file first."""

from django.db import models
from django.utils.translation import gettext_lazy as _

from fabriek.kernel.lifecycle import Lifecycle


class CaseState(models.TextChoices):
    DRAFT = "draft", _("draft")
    OPEN = "open", _("open")
    CLOSED = "closed", _("closed")
    WITHDRAWN = "withdrawn", _("withdrawn")


CASE = Lifecycle(
    ("propose", {CaseState.DRAFT}, CaseState.OPEN),
    ("close", {CaseState.OPEN}, CaseState.CLOSED),
    ("withdraw", {CaseState.DRAFT, CaseState.OPEN}, CaseState.WITHDRAWN),
)


class PartnerState(models.TextChoices):
    INVITED = "invited", _("invited")
    ACCEPTED = "accepted", _("takes part")
    DECLINED = "declined", _("declined")
    LEFT = "left", _("left")


PARTNER = Lifecycle(
    ("accept", {PartnerState.INVITED}, PartnerState.ACCEPTED),
    ("decline", {PartnerState.INVITED}, PartnerState.DECLINED),
    ("leave", {PartnerState.ACCEPTED}, PartnerState.LEFT),
    ("invite_again", {PartnerState.DECLINED, PartnerState.LEFT}, PartnerState.INVITED),
)
