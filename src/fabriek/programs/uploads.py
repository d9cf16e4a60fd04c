"""Code that a browser sends: kept on the store's own disk until it is taken in."""

from django.conf import settings

from fabriek.datasets.uploads import StoreUploadHandler
from fabriek.programs import archive


class CodeUploadHandler(StoreUploadHandler):
    """Takes one archive, and no more of it than code may be."""

    def receive_data_chunk(self, raw_data: bytes, start: int) -> None:
        with self._kept_refusal():
            if self.size_bytes + len(raw_data) > settings.CODE_LIMIT_BYTES:
                raise archive.too_large(settings.CODE_LIMIT_BYTES)
        super().receive_data_chunk(raw_data, start)
