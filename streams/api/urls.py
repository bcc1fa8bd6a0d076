"""Addresses of the sessions API, under /api/v1/sessions/."""

from django.urls import path

from streams.api import providers, stage, views

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
    path("<uuid:session_id>/provider/", providers.SessionProviderView.as_view(), name="session-provider"),
    path("<uuid:session_id>/guest-requests/", stage.GuestRequestsView.as_view(), name="guest-requests"),
    path("<uuid:session_id>/guest-requests/invite/", stage.InviteView.as_view(), name="guest-invite"),
    path("<uuid:session_id>/stage/leave/", stage.StageLeaveView.as_view(), name="stage-leave"),
    path("<uuid:session_id>/stage/media/", stage.StageMediaView.as_view(), name="stage-media"),
    path("<uuid:session_id>/stage/mute-all/", stage.StageMuteAllView.as_view(), name="stage-mute-all"),
]
urlpatterns += [
    path(f"<uuid:session_id>/guest-requests/<uuid:request_id>/{verb}/", view.as_view(), name=f"guest-{verb}")
    for verb, view in stage.ANSWERS.items()
]
urlpatterns += [
    path(f"<uuid:session_id>/participants/<uuid:user_id>/{verb}/", view.as_view(), name=f"participant-{verb}")
    for verb, view in stage.DEEDS.items()
]
