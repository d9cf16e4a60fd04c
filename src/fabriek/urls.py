"""The door for pages; the API has its own under /api/."""

import inspect

from django.conf import settings
from django.urls import URLPattern, URLResolver, include, path
from django.views import defaults

from fabriek.api import api
from fabriek.kernel import gallery, health
from fabriek.people import elsewhere

# Django's own look for the sign of a form first, and so wait for a body that nobody wants.
handler400 = inspect.unwrap(defaults.bad_request)
handler403 = inspect.unwrap(defaults.permission_denied)
handler404 = inspect.unwrap(defaults.page_not_found)
handler500 = inspect.unwrap(defaults.server_error)

urlpatterns: list[URLPattern | URLResolver] = [
    path("healthz", health.look),
    path("", include("fabriek.pages.urls")),
    path(".well-known/", include("fabriek.registry.key_urls")),
    path("", include("fabriek.hub.urls")),  # before the API, whose codes are no namespace
    path("api/", api.urls),
    path("accounts/oidc/<slug:provider_id>/login/", elsewhere.go),  # before allauth's own
    path("accounts/", include("allauth.urls")),
    path("language/", include("django.conf.urls.i18n")),
    path("people/", include("fabriek.people.urls")),
    path("cases/", include("fabriek.cases.urls")),
    path("applications/", include("fabriek.access.urls")),
    path("allocations/", include("fabriek.allocations.urls")),
    path("", include("fabriek.agreements.urls")),  # before the pages of datasets: a tab there
    path("data/", include("fabriek.agreements.use_urls")),  # before the codes of datasets
    path("data/", include("fabriek.datasets.urls")),
    path("data/", include("fabriek.quality.urls")),
    path("", include("fabriek.catalogue.urls")),
    path("runs/", include("fabriek.runs.urls")),
    path("sweeps/", include("fabriek.sweeps.urls")),
    path("tracking/", include("fabriek.tracking.urls")),
    path("code/", include("fabriek.programs.urls")),
    path("lab/", include("fabriek.lab.urls")),
    path("machine/", include("fabriek.machine.urls")),
    path("models/", include("fabriek.registry.urls")),
    path("try/", include("fabriek.trying.urls")),
    path("reports/", include("fabriek.reports.urls")),
    path(
        "", include("fabriek.hub.page_urls")
    ),  # last: `C26-0001/questions` is a name of its own
]
if settings.DEBUG:
    urlpatterns.append(path("dev/look", gallery.look))
