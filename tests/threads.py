"""Two at once, in threads, on a database that more than one connection can reach."""

import threading

import pytest
from django.db import connection


@pytest.fixture
def many_connections():
    if connection.vendor == "sqlite" and connection.is_in_memory_db():
        pytest.skip("threads share one lock on a database in memory; PostgreSQL runs this")


def at_once(*things, refusals=()):
    """Run these in threads that start together; gives what each said, or was refused with."""
    ready, said = threading.Barrier(len(things)), []

    def do(thing):
        ready.wait(timeout=60)  # only a test that fails waits so long
        try:
            said.append(thing())
        except refusals as refused:
            said.append(refused.code)
        finally:
            connection.close()

    threads = [threading.Thread(target=do, args=[thing]) for thing in things]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(timeout=300)
    assert len(said) == len(things)
    return said
