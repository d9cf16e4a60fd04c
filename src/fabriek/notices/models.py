"""How far the mailer has read the journal."""

from django.db import models


class Watermark(models.Model):
    """One row: the last journal entry that was turned into mail."""

    name = models.SlugField(unique=True)
    entry_id = models.BigIntegerField(default=0)

    def __str__(self) -> str:
        return f"{self.name} at {self.entry_id}"
