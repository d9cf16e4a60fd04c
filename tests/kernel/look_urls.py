"""Addresses as they are while developing: with the gallery of parts."""

from django.urls import path

from fabriek.kernel import gallery
from fabriek.urls import urlpatterns as everyday

urlpatterns = [path("dev/look", gallery.look), *everyday]
