from django.db import migrations


class Migration(migrations.Migration):
    dependencies = [("streams", "0008_remove_room_rotation")]
    operations = [
        migrations.DeleteModel(name="WalletEntry"),
        migrations.DeleteModel(name="GiftTransaction"),
        migrations.DeleteModel(name="Wallet"),
        migrations.DeleteModel(name="Gift"),
        migrations.DeleteModel(name="Post"),
        migrations.DeleteModel(name="Recording"),
        migrations.DeleteModel(name="ReactionTotal"),
        migrations.DeleteModel(name="ViewerSample"),
        migrations.RemoveField(model_name="sessionsettings", name="enable_gifts"),
        migrations.RemoveField(model_name="sessionsettings", name="record"),
        migrations.RemoveField(model_name="streamsession", name="metadata"),
    ]
