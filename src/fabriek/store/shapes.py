"""How the API tells of files; datasets and models list them alike."""

from ninja import Schema
from pydantic import Field


class FileOut(Schema):
    path: str
    sha256: str = Field(alias="blob.sha256")
    size_bytes: int = Field(alias="blob.size_bytes")
