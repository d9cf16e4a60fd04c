"""The card of a dataset: the README.md of a revision, as its page shows it."""

from dataclasses import dataclass

from django.utils.safestring import SafeString

from fabriek.kernel.errors import Refused
from fabriek.store import front_matter, shown_card
from fabriek.store.models import Revision
from fabriek.store.queries import the_store
from fabriek_recipes.csv_writing import decoded

# Of a long one the files below it would be a long way down: it is opened by who wants it.
SHORT_CHARACTERS = 2_000


@dataclass(frozen=True, kw_only=True, slots=True)
class Shown:
    """`is_cut`: it goes on in the file. `is_short`: it stands open on the page."""

    html: SafeString
    is_cut: bool
    is_short: bool


def of(revision: Revision) -> Shown | None:
    """Give what people wrote below the YAML, if the revision has a README that says more."""
    rows = revision.files.select_related("blob").filter(path=front_matter.README)
    if (file := rows.first()) is None:
        return None
    most = front_matter.LONGEST_README_BYTES
    try:
        with the_store().open(file.blob) as content:
            text = decoded(content.read(most), is_cut=file.blob.size_bytes > most)
    except Refused:  # damaged, or the store is away: the page stands without it
        return None
    html = shown_card.as_html(text)
    if not html.strip():
        return None
    is_cut = file.blob.size_bytes > most or len(text) > shown_card.CARD_CHARACTERS_MAX
    return Shown(html=html, is_cut=is_cut, is_short=len(html) <= SHORT_CHARACTERS)
