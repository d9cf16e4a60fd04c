"""What is said when something cannot be done, with the codes that MLflow's clients know."""

from typing import ClassVar

from django.utils.translation import gettext as _

from fabriek.kernel import text
from fabriek.kernel.errors import Refused, Text

# What refusals of other rooms become: clients know no other codes. Those for which a client
# tries again for minutes (429, 500, 503) are for nothing that a person has to mend.
ERROR_CODES = {
    400: "BAD_REQUEST",
    401: "UNAUTHENTICATED",
    403: "PERMISSION_DENIED",
    404: "RESOURCE_DOES_NOT_EXIST",
    409: "RESOURCE_CONFLICT",
    413: "INVALID_PARAMETER_VALUE",
    422: "INVALID_PARAMETER_VALUE",
    507: "RESOURCE_LIMIT_EXCEEDED",
}
SHOWN = 60


class TrackingRefused(Refused):
    error_code: ClassVar[str] = "BAD_REQUEST"
    status = 400


class Wrong(TrackingRefused):
    """A value will not do."""

    code = "invalid"
    error_code = "INVALID_PARAMETER_VALUE"


class Exists(TrackingRefused):
    code = "exists"
    error_code = "RESOURCE_ALREADY_EXISTS"


class Absent(TrackingRefused):
    code = "not_found"
    error_code = "RESOURCE_DOES_NOT_EXIST"
    status = 404


class NoRoute(TrackingRefused):
    code = "no_route"
    error_code = "ENDPOINT_NOT_FOUND"
    status = 404


class NotSignedIn(TrackingRefused):
    code = "not_signed_in"
    error_code = "UNAUTHENTICATED"
    status = 401


class Forbidden(TrackingRefused):
    code = "not_allowed"
    error_code = "PERMISSION_DENIED"
    status = 403


def error_code(refusal: Refused) -> str:
    if isinstance(refusal, TrackingRefused):
        return refusal.error_code
    return ERROR_CODES.get(refusal.status, "BAD_REQUEST")


def no_token() -> NotSignedIn:
    return NotSignedIn(
        _("Your program sent no token. Make one on the page “Tokens”, and set it as "
          "MLFLOW_TRACKING_TOKEN.")
    )  # fmt: skip


def wrong_token() -> NotSignedIn:
    return NotSignedIn(
        _("The token is missing, unknown, expired or revoked. Make a new one on the page "
          "“Tokens”, and set it as MLFLOW_TRACKING_TOKEN.")
    )  # fmt: skip


def no_experiment() -> Absent:
    return Absent(
        _("There is no such experiment, or it is not yours to see. Name it after your case, "
          "such as C26-0001 or C26-0001/first: mlflow.set_experiment makes it.")
    )  # fmt: skip


def no_case(name: str) -> Wrong:
    """Say the same of a case that does not exist and of one of others."""
    return Wrong(
        _("“%(name)s” does not begin with the code of a case of yours. Name an experiment "
          "C26-0001 or C26-0001/first, with the code of your own case.")
        % {"name": name[:SHOWN]}
    )  # fmt: skip


def no_run() -> Absent:
    return Absent(_("There is no such run, or it is not yours to see. Check its number."))


def no_file() -> Absent:
    return Absent(_("There is no such file in this run. Check its name."))


def no_route() -> NoRoute:
    return NoRoute(
        _("The factory does not know this part of MLflow. It keeps experiments, runs, figures, "
          "parameters, tags and files.")
    )  # fmt: skip


def missing(name: str) -> Wrong:
    return Wrong(_("“%(name)s” is missing, or is no text.") % {"name": name})


def unreadable(why: Text = "") -> Wrong:
    said = _("What was sent could not be read. Send JSON, as MLflow's clients do.")
    return Wrong(why or said)


def too_large() -> str:
    return _("This call is too large. Send it in several calls, of two megabytes at most.")


def storable(words: str) -> str:
    """Make a text one that can be looked for: no zero byte, no half of a sign."""
    return text.storable(words).encode("utf-8", "replace").decode()


def none_chosen() -> Wrong:
    return Wrong(
        _("Choose an experiment named after your case before you begin a run: "
          "mlflow.set_experiment(\"C26-0001\"), or MLFLOW_EXPERIMENT_NAME.")
    )  # fmt: skip


def by_name_only() -> Wrong:
    return Wrong(
        _("Experiments are searched by their name only, such as: name LIKE 'C26-0001%'.")
    )
