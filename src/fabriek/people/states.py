"""The life of an invitation to join an organisation."""

from django.db import models
from django.utils.translation import gettext_lazy as _

from fabriek.kernel.lifecycle import Lifecycle


class InvitationState(models.TextChoices):
    INVITED = "invited", _("invited")
    ACCEPTED = "accepted", _("accepted")
    DECLINED = "declined", _("declined")
    WITHDRAWN = "withdrawn", _("withdrawn")


INVITATION = Lifecycle(
    ("accept", {InvitationState.INVITED}, InvitationState.ACCEPTED),
    ("decline", {InvitationState.INVITED}, InvitationState.DECLINED),
    ("withdraw", {InvitationState.INVITED}, InvitationState.WITHDRAWN),
)
