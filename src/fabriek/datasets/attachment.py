"""A file as an answer that no browser ever runs or draws in our name."""

from django.http import FileResponse

from fabriek.datasets.actions import Download


def attachment(taken: Download) -> FileResponse:
    response = FileResponse(
        taken.content,
        as_attachment=True,
        filename=taken.name,
        content_type="application/octet-stream",
    )
    response["Content-Length"] = str(taken.size_bytes)
    response["X-Content-Type-Options"] = "nosniff"
    response["Cache-Control"] = "private, no-store"
    return response
