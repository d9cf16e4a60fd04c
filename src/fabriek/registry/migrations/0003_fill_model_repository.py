from django.db import migrations


def fill(apps, _schema):
    Model = apps.get_model('registry', 'Model')
    for model in Model.objects.filter(repository=None).select_related('revision').iterator():
        model.repository_id = model.revision.repository_id
        model.save(update_fields=['repository'])


class Migration(migrations.Migration):

    dependencies = [
        ('registry', '0002_model_repository'),
    ]

    operations = [
        migrations.RunPython(fill, migrations.RunPython.noop),
    ]
