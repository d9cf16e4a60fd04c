"""How programs call what is in `open/`: plain names are for what staff bring in.

Else a model of a case could take the name of a known one, and keep it when it is closed.
"""

from django.db import IntegrityError, transaction
from django.utils.text import slugify
from django.utils.translation import gettext as _

from fabriek.kernel.errors import Invalid, Refused
from fabriek.registry.models import Model
from fabriek.store import actions as store
from fabriek.store.models import Repository


def give(model: Model, wanted: str) -> None:
    """Take the name of a model out of its case; its code comes behind it. Raises: Refused."""
    plain = wanted if store.NAME.fullmatch(wanted) else slugify(wanted)
    try:
        with transaction.atomic():
            store.name_openly(model.repository, name=_own(plain, model.code))
    except IntegrityError as race:
        raise taken() from race


def require_own(repository: Repository, name: str) -> None:
    """Refuse a plain name in `open/` for a model of a case. Raises: Invalid."""
    code = (repository.code or "").lower()
    is_own = name.lower() == code or name.lower().endswith(f"-{code}")
    if repository.namespace == store.OPEN_TO_ALL and repository.case_id and not is_own:
        raise Invalid(
            _("A name in open/ ends in the code of the model here, as in %(example)s.")
            % {"example": _own(name, code)},
            code="name",
        )


def taken() -> Refused:
    sentence = _("Another one has this name. Choose another.")
    return Refused(sentence, code="known_name", fields={"name": sentence})


def _own(plain: str, code: str) -> str:
    code = code.lower()
    plain = plain[: store.NAME_CHARACTERS - len(code) - 1].rstrip("-._")
    return f"{plain}-{code}" if plain else code
