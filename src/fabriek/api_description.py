"""Adds to the description of the API what it answers when it refuses."""

from http import HTTPStatus
from typing import Any

from ninja import NinjaAPI, Schema
from ninja.openapi.schema import OpenAPISchema

JSON = "application/json"
NAME = "RefusalOut"
READING = {"get", "head", "options"}
# By what an operation is, so that nobody has to remember it at each.
ALWAYS = "4XX"
WITH_ACCOUNT = (HTTPStatus.UNAUTHORIZED, HTTPStatus.FORBIDDEN)
OF_A_THING = (HTTPStatus.NOT_FOUND,)
THAT_CHANGES = (HTTPStatus.CONFLICT,)
WITH_INPUT = (HTTPStatus.UNPROCESSABLE_ENTITY,)
WITH_JSON = (HTTPStatus.BAD_REQUEST, HTTPStatus.NOT_FOUND)
MEANINGS = {
    HTTPStatus.BAD_REQUEST: "What was sent is no JSON.",
    HTTPStatus.UNAUTHORIZED: "The token is missing, unknown, expired or revoked.",
    HTTPStatus.FORBIDDEN: "You may not do this, or this token may only look.",
    HTTPStatus.NOT_FOUND: "It does not exist, or it is not yours to see.",
    HTTPStatus.CONFLICT: "It cannot be done from where things stand, or too little is left.",
    HTTPStatus.UNPROCESSABLE_ENTITY: "Something that was sent is wrong; `fields` says where.",
}
ANY = "Any other refusal, in the same shape."


class RefusalOut(Schema):
    """Why something was refused.

    `code` is for programs and stays; `detail` is a sentence for people, in their language;
    `fields`: what is wrong, by the name of what was sent.
    """

    code: str
    detail: str
    fields: dict[str, str]


class DescribedAPI(NinjaAPI):
    """The API, with its refusals in what describes it."""

    def __init__(self, **how: Any) -> None:  # noqa: ANN401  as ninja
        super().__init__(**how)
        self._described: dict[str, OpenAPISchema] = {}

    def get_openapi_schema(self, **how: Any) -> OpenAPISchema:  # noqa: ANN401  as ninja
        """Describe every operation, and of each how it refuses.

        Made once: anybody may ask for it, and it keeps a processor busy for half a second.
        """
        asked = repr(how)
        if asked not in self._described:
            self._described[asked] = self._description(**how)
        return self._described[asked]

    def _description(self, **how: Any) -> OpenAPISchema:  # noqa: ANN401  as ninja
        found = super().get_openapi_schema(**how)
        found["components"]["schemas"][NAME] = RefusalOut.json_schema()
        for operations in found["paths"].values():
            for method, operation in operations.items():
                _describe(method, operation)
        return found


def _describe(method: str, operation: dict[str, Any]) -> None:
    told: dict[int | str, Any] = operation["responses"]
    for status in _statuses(method, operation):
        told.setdefault(int(status), _answer(MEANINGS[status]))
    told.setdefault(ALWAYS, _answer(ANY))


def _statuses(method: str, operation: dict[str, Any]) -> list[HTTPStatus]:
    parameters = operation.get("parameters", [])
    found: set[HTTPStatus] = set()
    if operation.get("security"):
        found.update(WITH_ACCOUNT)
    if any(one["in"] == "path" for one in parameters):
        found.update(OF_A_THING)
    if method not in READING:
        found.update(THAT_CHANGES)
    if parameters or "requestBody" in operation:
        found.update(WITH_INPUT)
    if JSON in operation.get("requestBody", {}).get("content", {}):
        found.update(WITH_JSON)
    return sorted(found)


def _answer(meaning: str) -> dict[str, Any]:
    schema = {"$ref": f"#/components/schemas/{NAME}"}
    return {"description": meaning, "content": {JSON: {"schema": schema}}}
