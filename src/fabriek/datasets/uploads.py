"""Files a browser sends, put on the store's own disk so that taking them in copies nothing."""

import fcntl
import os
import tempfile
from pathlib import Path
from typing import Any

from django.conf import settings
from django.core.files.uploadedfile import UploadedFile
from django.core.files.uploadhandler import FileUploadHandler, StopUpload
from django.http import HttpRequest

from fabriek.kernel.errors import Refused
from fabriek.store.files import INCOMING
from fabriek.store.incoming import Room, refused_when_full, require_room, too_large

# Beside the organisations' own folders, so that the store's sweep finds what was left here.
FOLDER = "uploads"


class StoreUploadHandler(FileUploadHandler):
    """Keeps what arrived as `files`, by the whole name the browser gave.

    A refusal cannot be raised out of the middle of a form: it is kept for the view to raise,
    and the rest of the upload is read and dropped, so that the browser shows our answer.
    """

    file: Any  # not there before the first: Django closes what is there, at a refusal as well

    def __init__(self, request: HttpRequest) -> None:
        super().__init__(request)
        self.files: list[tuple[str, Path]] = []
        self.refusal: Refused | None = None
        self.size_bytes = 0
        self.folder = Path(settings.STORE_HOME) / FOLDER / INCOMING
        self.room = Room(self.folder)

    def new_file(self, *args: Any) -> None:  # noqa: ANN401  passed on as they come
        super().new_file(*args)
        with self._kept_refusal(), refused_when_full():
            require_room(self.folder)
            # It lives until the view has taken it in: the request closes it at its end.
            self.file = tempfile.NamedTemporaryFile(dir=self.folder, prefix="")  # noqa: SIM115
            fcntl.flock(self.file.fileno(), fcntl.LOCK_EX)

    def receive_data_chunk(self, raw_data: bytes, start: int) -> None:  # noqa: ARG002
        self.size_bytes += len(raw_data)
        limit_bytes = settings.UPLOAD_LIMIT_BYTES
        with self._kept_refusal(), refused_when_full():
            if self.size_bytes > limit_bytes:
                raise too_large(limit_bytes)
            self.room.require_for(len(raw_data))
            self.file.write(raw_data)

    def file_complete(self, file_size: int) -> "UploadedFile[Any] | None":
        with self._kept_refusal(), refused_when_full():
            self.file.flush()
        os.lseek(self.file.fileno(), 0, os.SEEK_SET)
        self.files.append((self.file_name or "", Path(self.file.name)))
        return UploadedFile(file=self.file, name=self.file_name, size=file_size)

    def _kept_refusal(self) -> "_Kept":
        return _Kept(self)


class _Kept:
    """Turn a refusal into the end of the upload."""

    def __init__(self, handler: StoreUploadHandler) -> None:
        self.handler = handler

    def __enter__(self) -> None:
        return None

    def __exit__(self, _kind: object, error: BaseException | None, _trace: object) -> None:
        if isinstance(error, Refused):
            self.handler.refusal = error
            if hasattr(self.handler, "file"):
                self.handler.file.close()
            raise StopUpload(connection_reset=False) from error
