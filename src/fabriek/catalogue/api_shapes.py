"""What both searches of the catalogue are asked by programs: for datasets, and for models."""

from ninja import Schema

from fabriek.catalogue.queries import Asked


class AskedIn(Schema):
    q: str = ""
    theme: str = ""
    licence: str = ""
    access: str = ""
    language: str = ""
    personal: str = ""
    owner: str = ""
    open: str = ""

    @property
    def wish(self) -> Asked:
        return Asked.of(self.dict())
