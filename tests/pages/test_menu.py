"""The menu marks where a page stands, on every page that stands below one of its entries."""

from types import SimpleNamespace

import pytest
from django.test import RequestFactory
from django.urls import URLResolver, get_resolver

from fabriek.pages import context
from tests.factories import staff

# Nobody's entry: home and the terms, keys and files for programs.
NOWHERE = {"pages", "signing"}
FILES = {"export_all"}


def pages(patterns, address="/", room=""):
    """Give the address and the room of every page of ours, as its pattern has it."""
    for one in patterns:
        below = address + str(one.pattern).removeprefix("^")
        if isinstance(one, URLResolver):
            yield from pages(one.url_patterns, below, one.namespace or room)
        elif room and not below.startswith("/api/"):
            yield below, room, one.name


@pytest.mark.django_db
def test_every_page_of_a_room_marks_one_entry():
    person = staff()
    wrong = {}

    for address, room, name in pages(get_resolver().url_patterns):
        request = RequestFactory().get("/")
        request.path, request.user = address, person
        request.resolver_match = SimpleNamespace(namespace=room)
        marked = [one.label for one in context.menu(request) if one.current]
        if room not in NOWHERE and name not in FILES and len(marked) != 1:
            wrong[address] = marked

    assert wrong == {}


@pytest.mark.django_db
def test_a_search_stands_under_runs(browser):
    page = browser(staff()).get("/sweeps/").content.decode()

    assert 'href="/runs/" aria-current="page"' in page
