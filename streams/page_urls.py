"""Addresses of the pages of shows."""

from django.urls import path

from streams import pages

urlpatterns = [
    path("", pages.home, name="home"),
    path("live/<uuid:session_id>/", pages.room, name="room"),
    path("studio/", pages.studio, name="studio"),
    path("studio/<uuid:session_id>/", pages.desk, name="desk"),
]
