"""Addresses as they are while developing: with the gallery of parts."""

from django.urls import include, path

from fabriek.kernel import gallery

urlpatterns = [
    path("dev/look", gallery.look),
    path("accounts/", include("allauth.urls")),
    path("language/", include("django.conf.urls.i18n")),
]
