"""Addresses that the Hub's clients print for people: they lead to our own pages."""

from django.urls import re_path

from fabriek.hub import page_views

NAMESPACE = r"(?P<namespace>[A-Z]\d\d-\d+|open)"
NAME = r"(?P<name>[A-Za-z0-9._-]{1,96})"

urlpatterns = [
    re_path(rf"^(?:(?P<kind>datasets)/)?{NAMESPACE}/{NAME}"
            r"(?:/tree/main/(?P<folder>.+?)|/(?:tree|commit|blob)/.*)?/?$", page_views.page),
]  # fmt: skip
