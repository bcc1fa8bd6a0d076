"""Addresses of the sessions API, under /api/v1/sessions/."""

from django.urls import path

from streams.api import views

urlpatterns = [
    path("", views.SessionsView.as_view(), name="sessions"),
    path("<uuid:session_id>/", views.SessionView.as_view(), name="session"),
    path("<uuid:session_id>/start/", views.SessionStartView.as_view(), name="session-start"),
    path("<uuid:session_id>/pause/", views.SessionPauseView.as_view(), name="session-pause"),
    path("<uuid:session_id>/resume/", views.SessionResumeView.as_view(), name="session-resume"),
    path("<uuid:session_id>/end/", views.SessionEndView.as_view(), name="session-end"),
    path("<uuid:session_id>/join/", views.SessionJoinView.as_view(), name="session-join"),
    path("<uuid:session_id>/leave/", views.SessionLeaveView.as_view(), name="session-leave"),
    path("<uuid:session_id>/participants/", views.ParticipantsView.as_view(), name="session-participants"),
    path("<uuid:session_id>/poster/", views.PosterView.as_view(), name="session-poster"),
]
