"""Addresses of media tokens, under /api/v1/sessions/."""

from django.urls import path

from tokens.api import MediaTokenView

urlpatterns = [path("<uuid:session_id>/token/", MediaTokenView.as_view(), name="session-token")]
