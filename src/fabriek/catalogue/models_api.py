"""The API of open models in the catalogue. Decides nothing itself."""

from datetime import datetime

from ninja import Query, Router, Schema
from pydantic import Field

from fabriek.catalogue import open_models
from fabriek.catalogue.api_shapes import AskedIn
from fabriek.catalogue.model_records import ModelRecord
from fabriek.catalogue.vocabulary import Access
from fabriek.kernel.paging import Listing, paginate
from fabriek.people.http import SignedIn

router = Router()


class ModelFoundOut(Schema):
    """An open model: everybody may have it, by its licence. `owner` made or brought it in."""

    code: str = Field(alias="repository.code")
    title: str
    text: str
    owner: str = Field(alias="repository.organisation.name")
    licence: str
    access: str
    changed_at: datetime
    url: str = Field(alias="get_absolute_url")

    @staticmethod
    def resolve_access(_record: ModelRecord) -> str:
        return str(Access.PUBLIC)


@router.get("/", response=Listing[ModelFoundOut])
def search_models(
    request: SignedIn,  # noqa: ARG001  everybody finds the same
    asked: Query[AskedIn],
    page: int = 1,
    size: int = 50,
) -> dict[str, object]:
    """Search open models; the best fit first. What only datasets have finds none."""
    found = paginate(open_models.search(asked.wish), page, size)
    items = open_models.on_page(found.items)
    return {"items": items, "count": found.count, "page": found.page, "size": found.size}
