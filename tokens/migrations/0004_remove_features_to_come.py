from django.db import migrations


class Migration(migrations.Migration):
    dependencies = [("tokens", "0003_cut_due")]
    operations = [
        migrations.DeleteModel(name="StreamKey"),
    ]
