"""Forget pieces that tell what another tells: two lists at once could write both down."""

from typing import Any

from django.db import migrations
from django.db.models import Exists, OuterRef


def forget_doubles(apps: Any, _schema_editor: Any) -> None:
    pieces = apps.get_model("hub", "Piece").objects
    same = pieces.filter(xorb=OuterRef("xorb"), first=OuterRef("first"), end=OuterRef("end"))
    doubles = pieces.filter(Exists(same.filter(pk__lt=OuterRef("pk"))))
    keys = list(doubles.values_list("pk", flat=True))
    for start in range(0, len(keys), 500):
        pieces.filter(pk__in=keys[start : start + 500]).delete()


class Migration(migrations.Migration):
    dependencies = [("hub", "0001_initial")]
    operations = [migrations.RunPython(forget_doubles, migrations.RunPython.noop)]
