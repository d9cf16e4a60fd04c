"""A network between a browser and the portal that breaks when a test says so."""

import socket
import threading
from contextlib import suppress

PIECE_BYTES = 2**16


class Wire:
    """Passes bytes on, both ways; after `left_bytes` sent it is cut, until it is mended."""

    def __init__(self, port):
        self.port = port
        self.left_bytes = None
        self.is_cut = False
        self._open = set()
        self._lock = threading.Lock()
        self._door = socket.create_server(("127.0.0.1", 0))
        self.url = f"http://127.0.0.1:{self._door.getsockname()[1]}"
        threading.Thread(target=self._serve, daemon=True).start()

    def __enter__(self):
        return self

    def __exit__(self, *_problem):
        self._door.close()
        self._close_all()

    def mend(self):
        with self._lock:
            self.left_bytes, self.is_cut = None, False

    def _serve(self):
        with suppress(OSError):
            while True:
                client, _address = self._door.accept()
                if self.is_cut:
                    client.close()
                    continue
                server = socket.create_connection(("127.0.0.1", self.port))
                with self._lock:
                    self._open |= {client, server}
                for ways in ((client, server, True), (server, client, False)):
                    threading.Thread(target=self._pass, args=ways, daemon=True).start()

    def _pass(self, source, target, counts):
        with suppress(OSError):
            while piece := source.recv(PIECE_BYTES):
                target.sendall(piece)
                if counts and self._cuts(piece):
                    self._close_all()
        for each in (source, target):
            _close(each)

    def _cuts(self, piece):
        with self._lock:  # it may be mended at this moment
            if self.left_bytes is None:
                return False
            self.left_bytes -= len(piece)
            self.is_cut = self.left_bytes <= 0
            return self.is_cut

    def _close_all(self):
        with self._lock:
            gone, self._open = self._open, set()
        for each in gone:
            _close(each)


def _close(connection):
    with suppress(OSError):
        connection.shutdown(socket.SHUT_RDWR)
    connection.close()
