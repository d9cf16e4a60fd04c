"""The addresses under which clients of MLflow find what they know: a table, and no more."""

from collections.abc import Callable
from functools import partial

from django.http import HttpRequest
from django.http.response import HttpResponseBase

from fabriek.tracking import answers, artifact_routes, experiment_routes, refusals, run_routes
from fabriek.tracking.answers import IfStill, Words
from fabriek.tracking.doors import Caller

Route = tuple[str, Callable[[Caller, Words], "Words | HttpResponseBase"]]
Files = Callable[[Caller, HttpRequest, str], "Words | HttpResponseBase"]

PREFIXES = ("/api/2.0/mlflow", "/ajax-api/2.0/mlflow", "/api/3.0/mlflow")
# Without the version: a client takes for each call the one that it knows.
PLAIN = "/mlflow/"
FILES = "/mlflow-artifacts/artifacts"

ROUTES: dict[str, Route] = {
    "experiments/create": ("POST", experiment_routes.create),
    "experiments/get": ("GET", experiment_routes.get),
    "experiments/get-by-name": ("GET", experiment_routes.get_by_name),
    "experiments/search": ("POST", experiment_routes.search),
    "runs/create": ("POST", run_routes.create),
    "runs/get": ("GET", run_routes.get),
    "runs/update": ("POST", run_routes.update),
    "runs/search": ("POST", run_routes.search_runs),
    "runs/delete": ("POST", run_routes.delete),
    "runs/restore": ("POST", run_routes.restore),
    "runs/log-batch": ("POST", run_routes.log_batch),
    "runs/log-metric": ("POST", run_routes.log_metric),
    "runs/log-parameter": ("POST", run_routes.log_parameter),
    "runs/set-tag": ("POST", run_routes.set_tag),
    "runs/delete-tag": ("POST", run_routes.delete_tag),
    "runs/log-inputs": ("POST", run_routes.tolerated),
    "runs/log-model": ("POST", run_routes.tolerated),
    "runs/outputs": ("POST", run_routes.tolerated),
    # Asked before files are listed: there may be models beside them, of which we keep none.
    "logged-models/search": ("POST", run_routes.no_models),
    "metrics/get-history": ("GET", run_routes.history),
    "artifacts/list": ("GET", run_routes.artifacts),
}
# What programs send by the thousand, in one way to the database where it is easily said.
IF_STILL: dict[str, IfStill] = {
    "runs/log-batch": run_routes.log_batch_if_still,
    "runs/log-metric": run_routes.log_metric_if_still,
}
ON_FILES: dict[str, Files] = {
    "PUT": artifact_routes.put,
    "GET": artifact_routes.get,
    "DELETE": artifact_routes.delete,
}


def answer(request: HttpRequest) -> HttpResponseBase | None:
    """Answer a call of MLflow's; None when the address is not under its prefix."""
    path = request.path_info
    prefix = next((one for one in PREFIXES if path.startswith(one)), None)
    if prefix is None:
        return None
    rest = path[len(prefix) - len("/mlflow") :]
    if rest.startswith(FILES):
        return _on_files(request, rest[len(FILES) :].strip("/"))
    name = rest.removeprefix(PLAIN)
    method, view = ROUTES.get(name, ("", None))
    if view is None or not rest.startswith(PLAIN) or method != _method(request):
        return answers.safe(answers.refused(refusals.no_route()))
    return answers.answered(view, request, if_still=IF_STILL.get(name))


def _method(request: HttpRequest) -> str:
    # Experiments may be searched by either, and all else that is read by GET only.
    is_search = request.path_info.endswith("experiments/search")
    return "POST" if is_search and request.method == "GET" else request.method or ""


def _on_files(request: HttpRequest, place: str) -> HttpResponseBase:
    files = ON_FILES.get(request.method or "")
    if files is None:
        return answers.safe(answers.refused(refusals.no_route()))
    if request.method == "GET" and not place:
        return answers.answered(artifact_routes.names, request)
    return answers.answered(partial(_with_files, files, request, place), request, reads=False)


def _with_files(
    files: Files, request: HttpRequest, place: str, who: Caller, _words: Words
) -> "Words | HttpResponseBase":
    return files(who, request, place)
