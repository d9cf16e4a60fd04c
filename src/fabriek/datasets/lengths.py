"""A body has to say how long it is: in chunks, the web server's interface hands us nothing."""

from django.http import HttpRequest
from django.utils.translation import gettext as _

from fabriek.kernel.errors import Invalid


def require_length(request: HttpRequest) -> None:
    if "chunked" in request.headers.get("Transfer-Encoding", ""):
        raise Invalid(
            _("Say how long the file is: send it with a Content-Length, not in chunks."),
            code="length_required",
        )
