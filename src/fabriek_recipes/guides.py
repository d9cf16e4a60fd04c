"""When to use each recipe and when not, what to bring, what comes out.

English msgids, as in the recipes themselves; an example stands as it is in every language.
"""

from __future__ import annotations

from fabriek_recipes.guide import Guide, Instead
from fabriek_recipes.guides_fields import OF_FIELDS
from fabriek_recipes.guides_language import OF_LANGUAGE

__all__ = ["GUIDES", "Guide", "Instead"]

GUIDES: dict[str, Guide] = OF_LANGUAGE | OF_FIELDS
