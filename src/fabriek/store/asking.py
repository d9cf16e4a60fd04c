"""The database asked by a thread beside the caller, over the caller's own connection.

While the database writes thousands of rows down, whoever takes files in reads the next ones.
"""

from collections.abc import Callable, Iterator
from concurrent.futures import Future, ThreadPoolExecutor
from contextlib import contextmanager
from typing import ParamSpec, TypeVar

from django.db import DEFAULT_DB_ALIAS, connections

from fabriek.kernel.words import in_this_language

Given = ParamSpec("Given")
Found = TypeVar("Found")


class Asking:
    """Does one thing after the other, in the order asked.

    All of it belongs to the caller's transaction, where there is one, so the caller asks the
    database nothing by itself meanwhile. What is done knows the caller's language.
    """

    def __init__(self, thread: ThreadPoolExecutor) -> None:
        self._thread = thread

    def ask(
        self, work: Callable[Given, Found], *words: Given.args, **more: Given.kwargs
    ) -> Future[Found]:
        return self._thread.submit(in_this_language(work), *words, **more)


@contextmanager
def beside() -> Iterator[Asking]:
    """Lend the connection until all that was asked is done."""
    connection = connections[DEFAULT_DB_ALIAS]

    def lend() -> None:
        connections[DEFAULT_DB_ALIAS] = connection

    connection.inc_thread_sharing()
    try:
        with ThreadPoolExecutor(1, initializer=lend) as thread:
            yield Asking(thread)
    finally:
        connection.dec_thread_sharing()
