"""Addresses of the pages of shows."""

from django.urls import path

from livestream.http.headers import with_player
from streams import pages

urlpatterns = [
    path("", pages.home, name="home"),
    path("live/<uuid:session_id>/", with_player(pages.room), name="room"),
    path("studio/", pages.studio, name="studio"),
    path("studio/<uuid:session_id>/", with_player(pages.show_studio), name="desk"),
]
