"""What every page shows: the factory's name and the person's own menu."""

from dataclasses import dataclass, replace
from functools import cache

from django.conf import settings
from django.http import HttpRequest
from django.urls import reverse
from django.utils.translation import gettext_lazy as _

from fabriek.kernel.errors import Text
from fabriek.people.models import Person


@dataclass(frozen=True, slots=True)
class MenuItem:
    label: str
    url: str
    current: bool
    personal: bool = False


def factory(request: HttpRequest) -> dict[str, object]:
    return {
        "factory_name": settings.FACTORY_NAME,
        "terms_url": settings.TERMS_URL or address("pages:terms"),
        "menu": menu(request),
    }


def menu(request: HttpRequest) -> list[MenuItem]:
    # A request that was refused at the door (a wrong host name) has nobody yet.
    person = getattr(request, "user", None)
    if not isinstance(person, Person):
        # Without an account one finds what its owners show to everybody.
        return [_item(request, _("Data catalogue"), "catalogue:list")]
    shown = [(label, name, False) for label, name in _entries(person)]
    shown += [(label, name, True) for label, name in PERSONAL]
    items = [_item(request, label, name, personal) for label, name, personal in shown]
    if any(item.current for item in items):
        return items
    url = _stands_under(request)
    return [replace(item, current=item.url == url) for item in items]


def _item(request: HttpRequest, label: Text, name: str, personal: bool = False) -> MenuItem:
    url = address(name)
    return MenuItem(str(label), url, request.path.startswith(url), personal)


def _stands_under(request: HttpRequest) -> str:
    """Give the address of the entry for a page whose own address is below that of none."""
    match = request.resolver_match
    name = UNDER.get(match.namespace) if match else None
    return address(name) if name else ""


@cache
def address(name: str) -> str:
    """Give the address of a page without arguments; looked up once, as it stands everywhere."""
    return reverse(name)


# Rooms without an entry of their own stand under what they are about.
UNDER = {
    "lab": "runs:list",
    "people": "people:me",
    "programs": "runs:list",
    "sweeps": "runs:list",
    "tracking": "runs:list",
    "trying": "registry:list",
}
# In the person's own menu only: the bar keeps to the way of a case.
PERSONAL: list[tuple[Text, str]] = [
    (_("The machine"), "machine:machine"),
    (_("Agreements on data"), "agreements:list"),
    (_("Your page"), "people:me"),
    (_("Tokens"), "people:tokens"),
    (_("E-mail addresses"), "account_email"),
    (_("Password"), "account_change_password"),
    (_("Two-step sign-in"), "mfa_index"),
]


def _entries(person: Person) -> list[tuple[Text, str]]:
    entries: list[tuple[Text, str]] = []
    if not person.is_funder or person.roles:
        entries += [
            (_("Cases"), "cases:list"),
            (_("Applications"), "access:list"),
            (_("GPU-hours"), "allocations:list"),
            (_("Data"), "datasets:list"),
            (_("Catalogue"), "catalogue:list"),
            (_("Runs"), "runs:list"),
            (_("Models"), "registry:list"),
        ]
    if person.is_factory_staff or person.is_funder:
        entries.append((_("Reports"), "reports:list"))
    return entries
