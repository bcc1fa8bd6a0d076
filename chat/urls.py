"""Addresses of the chat, under /api/v1/sessions/."""

from django.urls import path

from chat import api

urlpatterns = [
    path("<uuid:session_id>/messages/", api.MessagesView.as_view(), name="messages"),
    path("<uuid:session_id>/messages/<uuid:message_id>/", api.MessageView.as_view(), name="message"),
    path("<uuid:session_id>/read/", api.ReadView.as_view(), name="read"),
]
