"""Static files under names that hold a sum of what is in them, so that browsers may keep them.

Who serves lays them out first. Where nobody did, as in tests, or while developing, pages name
them as they are called: WhiteNoise serves those too, for a minute.
"""

from django.contrib.staticfiles.storage import ManifestStaticFilesStorage
from django.core.management import call_command

LEFT_OUT = ("*.map",)  # two thirds of all bytes, for those who develop the packages of others


class SummedNames(ManifestStaticFilesStorage):
    """Gives the name with the sum, also where one file of ours names another.

    Imports are followed in our own modules only: others bring whole programs of one file, in
    whose comments Django's own patterns find imports, too.
    """

    keep_intermediate_files = False
    patterns = (
        ("*.css", (r"""(?P<matched>url\(['"]?\s*(?P<url>.*?)["']?\))""",)),
        (
            "fabriek/*.js",
            (
                (r"""(?P<matched>\bfrom\s+"(?P<url>\.[^"]+)")""", 'from "%(url)s"'),
                (r"""(?P<matched>\bimport\s+"(?P<url>\.[^"]+)")""", 'import "%(url)s"'),
                (r"""(?P<matched>\bimport\("(?P<url>\.[^"]+)"\))""", 'import("%(url)s")'),
            ),
        ),
    )

    def stored_name(self, name: str) -> str:
        """Give the plain name of what was not laid out: the page matters more than a year."""
        if self.hash_key(self.clean_name(name)) not in self.hashed_files:
            return name
        return super().stored_name(name)


def lay_out() -> None:
    """Write all anew: what an older version left is never taken for what is meant now.

    Django compares times of files, and those of a package may be older than its predecessor's.
    """
    call_command(
        "collectstatic",
        clear=True,
        interactive=False,
        verbosity=0,
        ignore_patterns=[*LEFT_OUT],
    )
