"""A short way in for programs that log by the thousand: without sessions and messages."""

from collections.abc import Callable

from django.http import HttpRequest
from django.http.response import HttpResponseBase

from fabriek.tracking import routes


class TrackingMiddleware:
    """Answer what is for MLflow's clients here; pass everything else on."""

    def __init__(self, get_response: Callable[[HttpRequest], HttpResponseBase]) -> None:
        self.get_response = get_response

    def __call__(self, request: HttpRequest) -> HttpResponseBase:
        if "mlflow" not in request.path_info:
            return self.get_response(request)
        request.get_host()  # a host that is not ours is refused, as for every page
        response = routes.answer(request)
        return self.get_response(request) if response is None else response
