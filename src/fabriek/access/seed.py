"""Fill access modes and their forms from the factory's data files; safe to repeat."""

import json
from pathlib import Path

from django.db import transaction
from django.utils.translation import gettext as _

from fabriek.access.definitions import FormRules, ModesFile
from fabriek.access.models import Application, Form, Mode
from fabriek.kernel.errors import Refused

DATA = Path(__file__).parent / "data"


@transaction.atomic
def seed_modes(folder: Path = DATA) -> None:
    """Bring forms and modes in line with the files; modes no longer named are closed.

    Whether a mode is open stays as the factory set it.

    Raises:
        Refused: a file changed a form that applications use; it needs a higher version.
    """
    for path in sorted((folder / "forms").glob("*.json")):
        _seed_form(path)
    written = json.loads((folder / "modes.json").read_text(encoding="utf-8"))
    parsed = ModesFile.model_validate(written)
    for definition, rules in zip(written["modes"], parsed.modes, strict=True):
        Mode.objects.update_or_create(
            code=rules.code,
            defaults={
                "name_nl": rules.name.nl,
                "name_en": rules.name.en,
                "position": rules.order,
                "definition": definition,
            },
        )
    named = [rules.code for rules in parsed.modes]
    Mode.objects.exclude(code__in=named).update(is_open=False)


def _seed_form(path: Path) -> None:
    definition = json.loads(path.read_text(encoding="utf-8"))
    rules = FormRules.model_validate(definition)
    form, is_new = Form.objects.get_or_create(
        code=rules.code, version=rules.version, defaults={"definition": definition}
    )
    if is_new or form.definition == definition:
        return
    if Application.objects.filter(form=form).exists():
        raise Refused(
            _(
                "The form %(form)s is used by applications, so its questions stay as they are. "
                "Give the file a higher version, and name that version in modes.json."
            )
            % {"form": form},
            code="form_in_use",
        )
    form.definition = definition
    form.save(update_fields=["definition"])
