from django.db import migrations, models


class Migration(migrations.Migration):
    dependencies = [("hub", "0002_pieces_named_once")]
    operations = [
        migrations.AddConstraint(
            model_name="piece",
            constraint=models.UniqueConstraint(
                fields=("xorb", "first", "end"), name="piece_once"
            ),
        ),
    ]
