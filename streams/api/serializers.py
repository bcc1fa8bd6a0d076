"""Input and output of the sessions API."""

from typing import Any

from rest_framework import serializers

from streams.models import MutedBy, ParticipantStatus, Role, SessionType, Visibility
from streams.stage_permissions import May
from streams.state import EndReason, SessionState


class Person(serializers.Serializer[Any]):
    """The public part of a person."""

    id = serializers.UUIDField()
    username = serializers.CharField()
    display_name = serializers.CharField()


class Settings(serializers.Serializer[Any]):
    """Settings of a session."""

    max_participants = serializers.IntegerField(min_value=1, max_value=1_000_000, required=False)
    allow_guests = serializers.BooleanField(required=False)
    require_approval = serializers.BooleanField(required=False)
    max_guests = serializers.IntegerField(min_value=0, max_value=20, required=False)
    enable_chat = serializers.BooleanField(required=False)
    guest_audio_default = serializers.BooleanField(required=False)
    guest_video_default = serializers.BooleanField(required=False)
    slow_mode_seconds = serializers.IntegerField(min_value=0, max_value=120, required=False)
    grace_seconds = serializers.IntegerField(min_value=0, max_value=1800, required=False)


class SessionChange(serializers.Serializer[Any]):
    """The editable fields of a session."""

    title = serializers.CharField(max_length=120)
    description = serializers.CharField(max_length=2000, required=False, allow_blank=True)
    session_type = serializers.ChoiceField(choices=SessionType.choices, required=False)
    auction_id = serializers.CharField(max_length=100, required=False, allow_null=True)
    scheduled_for = serializers.DateTimeField(required=False, allow_null=True)
    visibility = serializers.ChoiceField(choices=Visibility.choices, required=False)
    settings = Settings(required=False)


class SessionCreate(SessionChange):
    """A new session."""

    provider = serializers.CharField(max_length=20, required=False)


class Session(serializers.Serializer[Any]):
    """A session."""

    id = serializers.UUIDField()
    title = serializers.CharField()
    description = serializers.CharField(allow_blank=True)
    session_type = serializers.ChoiceField(choices=SessionType.choices)
    provider = serializers.CharField()
    state = serializers.ChoiceField(choices=SessionState.choices)
    version = serializers.IntegerField()
    visibility = serializers.ChoiceField(choices=Visibility.choices)
    host = Person()
    auction_id = serializers.CharField(allow_null=True)
    scheduled_for = serializers.DateTimeField(allow_null=True)
    created_at = serializers.DateTimeField()
    started_at = serializers.DateTimeField(allow_null=True)
    paused_at = serializers.DateTimeField(allow_null=True)
    ended_at = serializers.DateTimeField(allow_null=True)
    end_reason = serializers.ChoiceField(choices=EndReason.choices, allow_null=True)
    viewer_count = serializers.IntegerField()
    peak_viewers = serializers.IntegerField()
    total_viewers = serializers.IntegerField()
    guest_count = serializers.IntegerField()
    takes_guests = serializers.BooleanField()
    duration_seconds = serializers.IntegerField()
    poster_url = serializers.CharField(allow_null=True)
    host_present = serializers.BooleanField()
    host_lost_until = serializers.DateTimeField(allow_null=True)
    settings = Settings()
    url = serializers.CharField()


class ParticipantOut(serializers.Serializer[Any]):
    """A participant."""

    user = Person()
    role = serializers.ChoiceField(choices=Role.choices)
    status = serializers.ChoiceField(choices=ParticipantStatus.choices)
    moderator = serializers.BooleanField()
    joined_at = serializers.DateTimeField()
    left_at = serializers.DateTimeField(allow_null=True)
    audio_muted = serializers.BooleanField()
    video_muted = serializers.BooleanField()
    audio_muted_by = serializers.ChoiceField(choices=MutedBy.choices, allow_null=True)
    video_muted_by = serializers.ChoiceField(choices=MutedBy.choices, allow_null=True)
    screen_sharing = serializers.BooleanField()


class ParticipantListed(ParticipantOut):
    """A participant, and what the caller may do with them."""

    may = serializers.ListField(child=serializers.ChoiceField(choices=[right.value for right in May]))


class ParticipantFilter(serializers.Serializer[Any]):
    """Filters of the list of participants."""

    on_stage = serializers.BooleanField(required=False)


class Invitation(serializers.Serializer[Any]):
    """The person to invite to a private session."""

    username = serializers.CharField(max_length=30)


class SessionFilter(serializers.Serializer[Any]):
    """Filters of the list of sessions."""

    state = serializers.ChoiceField(choices=SessionState.choices, required=False)
    host = serializers.CharField(max_length=40, required=False)
    q = serializers.CharField(max_length=120, required=False, allow_blank=True)


class Empty(serializers.Serializer[Any]):
    """An empty body."""
