"""For whom it is meant what works on data: what agreements on that data leave of the case."""

from django.db import models

from fabriek.people.models import Person


class MeantForSome(models.Model):
    """A run, or several that belong together; `runs.apart` tells for whom."""

    # Keys of organisations between commas: asked in lists, where a table beside it is slow.
    meant_for = models.TextField(
        blank=True,
        help_text="Those of the case that could have asked for it too; empty: all of it.",
    )

    class Meta:
        abstract = True

    def is_meant_for(self, person: Person) -> bool:
        """Whether agreements on what it works on mean this person, now and when they ended."""
        return is_meant(self.meant_for, person)


def is_meant(meant_for: str, person: Person) -> bool:
    """Read what is kept of a run, where a list has the words alone."""
    members = meant_for.split(",")
    return not meant_for or any(str(key) in members for key in person.organisation_ids)
