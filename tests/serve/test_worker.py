"""The worker answers what follows at once on the same thread, and leaves threads for others."""

import gc
import os
import socket
import sys
from contextlib import closing, contextmanager
from types import SimpleNamespace

import pytest
from gunicorn.config import Config
from gunicorn.glogging import Logger
from gunicorn.workers.gthread import TConn

from fabriek.serve import outflow
from fabriek.serve.worker import Worker

CALL = b"GET / HTTP/1.1\r\nHost: localhost\r\n\r\n"


@contextmanager
def connected(*, threads):
    """Give a worker and both ends of a connection to it."""
    cfg = Config()
    cfg.set("threads", threads)
    worker = Worker(0, os.getppid(), [], None, 30, cfg, Logger(cfg))
    here, there = socket.socketpair()
    with here, there, closing(worker.tmp):
        here.settimeout(60)
        connection = TConn(cfg, there, ("127.0.0.1", 1), ("127.0.0.1", 2))
        with closing(connection):
            yield worker, here, connection


@pytest.mark.parametrize(("threads", "answered"), [(2, 3), (1, 1)])
def test_calls_that_follow_are_answered_while_half_of_the_threads_are_free(threads, answered):
    with connected(threads=threads) as (worker, client, connection):
        asked = []

        def application(environ, start_response):
            asked.append(environ["PATH_INFO"])
            if len(asked) < 3:
                client.sendall(CALL)  # the next call is there before this one is answered
            start_response("200 OK", [("Content-Length", "2")])
            return [b"ok"]

        worker.wsgi = application
        client.sendall(CALL)

        kept = worker.handle(connection)

        assert (kept, len(asked)) == (True, answered)
        assert client.recv(65536).count(b"200 OK") == answered


def test_a_client_that_went_is_let_go():
    with connected(threads=2) as (worker, client, connection):

        def application(environ, start_response):
            client.shutdown(socket.SHUT_WR)
            start_response("200 OK", [("Content-Length", "2")])
            return [b"ok"]

        worker.wsgi = application
        client.sendall(CALL)

        assert worker.handle(connection) is False


def test_a_file_goes_out_by_a_socket_that_asks_the_disk_ahead(tmp_path):
    (tmp_path / "a.bin").write_bytes(b"its bytes")
    with connected(threads=1) as (worker, client, connection):
        ways = []

        def application(environ, start_response):
            ways.append(environ["gunicorn.socket"])
            start_response("200 OK", [("Content-Length", "5")])
            file.seek(4)
            return environ["wsgi.file_wrapper"](file)

        worker.wsgi = application
        client.sendall(CALL)
        with (tmp_path / "a.bin").open("rb", buffering=0) as file:
            kept = worker.handle(connection)

        assert kept is True
        assert [type(way) for way in ways] == [outflow.Socket]
        assert client.recv(65536).endswith(b"\r\n\r\nbytes")


def test_what_it_begins_with_is_loaded_before_the_first_call_and_never_looked_through_again(
    settings,
):
    settings.ROOT_URLCONF = "tests.serve.late_urls"
    try:
        with connected(threads=1) as (worker, _client, _connection):
            worker.app = SimpleNamespace(wsgi=lambda: None)
            worker.load_wsgi()

        assert "tests.serve.late_urls" in sys.modules
        assert gc.get_freeze_count() > 0
    finally:
        gc.unfreeze()
        sys.modules.pop("tests.serve.late_urls", None)
