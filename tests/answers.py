"""Answers that stream a file."""

from django.http.response import HttpResponseBase


def put_away(answer: HttpResponseBase) -> None:
    """Close the file of an answer, and not the connection to the database with it.

    `close` tells Django that the request is over; a test still has the transaction it runs in.
    """
    for close in answer._resource_closers:  # noqa: SLF001
        close()
