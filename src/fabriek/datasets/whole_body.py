"""A body of JSON that may be larger than a form: a revision can name 100,000 files.

Read by the operation itself, once it is known who asks, and no further than its bound.
"""

from typing import TypeVar

from django.http import HttpRequest
from django.utils.translation import gettext as _
from ninja.errors import HttpError, ValidationError
from pydantic import BaseModel
from pydantic import ValidationError as Mistakes

from fabriek.kernel.body import Body
from fabriek.kernel.errors import TooLarge

LIMIT_BYTES = 64 * 2**20

Asked = TypeVar("Asked", bound=BaseModel)


def read_as(kind: type[Asked], request: HttpRequest) -> Asked:
    """Read and check it, as ninja would have. Raises: TooLarge, ValidationError, HttpError."""
    body = Body(request)
    if body.size_bytes > LIMIT_BYTES:
        raise TooLarge(
            _("This list of files is larger than 64 MiB. Save it in several revisions.")
        )
    try:
        return kind.model_validate_json(body.read())
    except Mistakes as mistakes:
        found = mistakes.errors(include_url=False, include_context=False)
        if found[0]["type"] == "json_invalid":
            raise HttpError(400, "Cannot parse request body") from mistakes
        raise ValidationError(
            [{**each, "loc": ("body", "body", *each["loc"])} for each in found]
        ) from mistakes


def described(kind: type[BaseModel]) -> dict[str, object]:
    """Describe the body for the API page, which ninja cannot see by itself."""
    schema = kind.model_json_schema(ref_template="#/components/schemas/{model}")
    schema.pop("$defs", None)
    return {"requestBody": {"content": {"application/json": {"schema": schema}}}}
