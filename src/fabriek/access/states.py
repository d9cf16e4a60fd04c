"""The life of an application. Read this file first."""

from django.db import models
from django.utils.translation import gettext_lazy as _

from fabriek.kernel.lifecycle import Lifecycle


class ApplicationState(models.TextChoices):
    DRAFT = "draft", _("draft")
    SUBMITTED = "submitted", _("submitted")
    ELIGIBLE = "eligible", _("eligible")
    FEASIBLE = "feasible", _("feasible")
    REVIEWED = "reviewed", _("reviewed")
    AWARDED = "awarded", _("awarded")
    REFUSED = "refused", _("refused")
    ACCEPTED = "accepted", _("accepted")
    DECLINED = "declined", _("award declined")
    WITHDRAWN = "withdrawn", _("withdrawn")


S = ApplicationState
UNDER_ASSESSMENT = frozenset({S.SUBMITTED, S.ELIGIBLE, S.FEASIBLE, S.REVIEWED})

APPLICATION = Lifecycle(
    ("submit", {S.DRAFT}, S.SUBMITTED),
    ("send_back", {S.SUBMITTED}, S.DRAFT),
    ("find_eligible", {S.SUBMITTED}, S.ELIGIBLE),
    ("find_feasible", {S.ELIGIBLE}, S.FEASIBLE),
    ("finish_review", {S.FEASIBLE}, S.REVIEWED),
    ("award", {S.FEASIBLE, S.REVIEWED}, S.AWARDED),
    ("refuse", UNDER_ASSESSMENT, S.REFUSED),
    ("accept", {S.AWARDED}, S.ACCEPTED),
    ("decline", {S.AWARDED}, S.DECLINED),
    ("withdraw", UNDER_ASSESSMENT | {S.DRAFT}, S.WITHDRAWN),
)
