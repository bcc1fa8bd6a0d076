
import django.db.models.deletion
import django.utils.timezone
from django.conf import settings
from django.db import migrations, models


class Migration(migrations.Migration):

    dependencies = [
        ('streams', '0002_participant_invited'),
        migrations.swappable_dependency(settings.AUTH_USER_MODEL),
    ]

    operations = [
        migrations.AddField(
            model_name='guestrequest',
            name='expires_at',
            field=models.DateTimeField(default=django.utils.timezone.now),
            preserve_default=False,
        ),
        migrations.AddField(
            model_name='guestrequest',
            name='invited_by',
            field=models.ForeignKey(blank=True, null=True, on_delete=django.db.models.deletion.SET_NULL, related_name='stage_invitations', to=settings.AUTH_USER_MODEL),
        ),
        migrations.AddField(
            model_name='participant',
            name='audio_muted_by',
            field=models.CharField(blank=True, choices=[('self', 'The person'), ('host', 'Host or moderator')], max_length=4),
        ),
        migrations.AddField(
            model_name='participant',
            name='media_due_at',
            field=models.DateTimeField(blank=True, help_text='The provider has still to be told.', null=True),
        ),
        migrations.AddField(
            model_name='participant',
            name='media_lost_at',
            field=models.DateTimeField(blank=True, help_text="Since when the guest's media is away.", null=True),
        ),
        migrations.AddField(
            model_name='participant',
            name='media_seen_at',
            field=models.DateTimeField(blank=True, help_text="When the guest's media was last seen.", null=True),
        ),
        migrations.AddField(
            model_name='participant',
            name='screen_stopped',
            field=models.BooleanField(default=False, help_text='The host stopped it; until the person shares anew.'),
        ),
        migrations.AddField(
            model_name='participant',
            name='staged_at',
            field=models.DateTimeField(blank=True, help_text='When the person came on stage.', null=True),
        ),
        migrations.AddField(
            model_name='participant',
            name='video_muted_by',
            field=models.CharField(blank=True, choices=[('self', 'The person'), ('host', 'Host or moderator')], max_length=4),
        ),
        migrations.AddField(
            model_name='streamsession',
            name='stage_slots',
            field=models.JSONField(blank=True, default=dict, help_text='Which received track is whom, as last told.'),
        ),
        migrations.AlterField(
            model_name='streamsession',
            name='guest_count',
            field=models.PositiveIntegerField(default=0, help_text='Who is on stage beside the host.'),
        ),
        migrations.AddIndex(
            model_name='guestrequest',
            index=models.Index(fields=['session', 'user', '-created_at'], name='request_by_person'),
        ),
        migrations.AddIndex(
            model_name='guestrequest',
            index=models.Index(condition=models.Q(('status', 'pending')), fields=['expires_at'], name='request_sweep'),
        ),
        migrations.AddIndex(
            model_name='participant',
            index=models.Index(condition=models.Q(('media_due_at__isnull', False)), fields=['media_due_at'], name='participant_media_due'),
        ),
        migrations.AddIndex(
            model_name='participant',
            index=models.Index(condition=models.Q(('role__in', ['cohost', 'guest']), ('status', 'active')), fields=['staged_at'], name='participant_stage_sweep'),
        ),
        migrations.AddConstraint(
            model_name='streamsession',
            constraint=models.CheckConstraint(condition=models.Q(('guest_count__lte', 20)), name='session_guest_count'),
        ),
    ]
