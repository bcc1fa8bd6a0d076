"""A lost host is waited for five minutes instead of one, in sessions from now on."""

import django.core.validators
from django.db import migrations, models


class Migration(migrations.Migration):
    dependencies = [("streams", "0001_initial")]

    operations = [
        migrations.AlterField(
            model_name="sessionsettings",
            name="grace_seconds",
            field=models.PositiveSmallIntegerField(
                default=300, validators=[django.core.validators.MaxValueValidator(1800)]
            ),
        ),
    ]
