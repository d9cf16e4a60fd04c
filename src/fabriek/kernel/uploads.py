"""Files sent to pages that take none: skipped, so that a stranger cannot fill the disk."""

from typing import NoReturn

from django.core.files.uploadhandler import FileUploadHandler, SkipFile


class NoFilesHere(FileUploadHandler):
    def new_file(self, *_args: object, **_kwargs: object) -> NoReturn:
        raise SkipFile

    def receive_data_chunk(self, raw_data: bytes, start: int) -> bytes | None:  # noqa: ARG002
        return None

    def file_complete(self, file_size: int) -> None:  # noqa: ARG002
        return None
