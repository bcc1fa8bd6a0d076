"""Addresses of the accounts API, under /api/v1/auth/."""

from django.urls import path

from accounts import api

urlpatterns = [
    path("register/", api.RegisterView.as_view(), name="auth-register"),
    path("token/", api.TokenView.as_view(), name="auth-token"),
    path("token/refresh/", api.TokenRefreshView.as_view(), name="auth-token-refresh"),
    path("ticket/", api.TicketView.as_view(), name="auth-ticket"),
    path("me/", api.MeView.as_view(), name="auth-me"),
    path("me/email/", api.EmailView.as_view(), name="auth-email"),
    path("password/", api.PasswordView.as_view(), name="auth-password"),
    path("password/forgot/", api.ForgottenView.as_view(), name="auth-password-forgot"),
    path("password/reset/", api.ResetView.as_view(), name="auth-password-reset"),
]
