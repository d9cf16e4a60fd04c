"""Give what is there a name for programs, and each revision a commit id of its own."""

import secrets

from django.db import migrations
from django.utils.text import slugify


def name_repositories(apps, _schema_editor):
    Repository = apps.get_model("store", "Repository")
    taken = set()
    for repository in Repository.objects.exclude(code=None).select_related("case").order_by("pk"):
        namespace = repository.case.code if repository.case else "open"
        code = repository.code.lower()
        name = slugify(repository.title)[:80] or code
        if (repository.kind, namespace, name) in taken:
            name = f"{name}-{code}"
        taken.add((repository.kind, namespace, name))
        Repository.objects.filter(pk=repository.pk).update(namespace=namespace, name=name)


def give_commit_ids(apps, _schema_editor):
    # Added with one default for all rows: each needs its own.
    Revision = apps.get_model("store", "Revision")
    some = []
    for revision in Revision.objects.only("pk").iterator():
        revision.commit_id = secrets.token_hex(20)
        some.append(revision)
        if len(some) == 500:
            Revision.objects.bulk_update(some, ["commit_id"])
            some = []
    Revision.objects.bulk_update(some, ["commit_id"])


def leave(_apps, _schema_editor):
    """Names do no harm to the release before this one."""


class Migration(migrations.Migration):

    dependencies = [("store", "0002_names_branches_packs")]

    operations = [
        migrations.RunPython(name_repositories, leave),
        migrations.RunPython(give_commit_ids, leave),
    ]
