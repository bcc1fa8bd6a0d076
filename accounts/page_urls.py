"""Addresses of the pages of accounts, under /accounts/."""

from django.contrib.auth.views import LogoutView
from django.urls import path

from accounts import email_pages, pages, recovery_pages

urlpatterns = [
    path("", pages.Profile.as_view(), name="profile"),
    path("login/", pages.LogIn.as_view(), name="login"),
    path("logout/", LogoutView.as_view(), name="logout"),
    path("signup/", pages.SignUp.as_view(), name="signup"),
    path("password/", pages.PasswordChange.as_view(), name="password_change"),
    path("password/forgot/", recovery_pages.Forgotten.as_view(), name="password_forgot"),
    path("password/recover/<str:token>/", recovery_pages.Recover.as_view(), name="password_recover"),
    path("email/", email_pages.EmailChange.as_view(), name="email_change"),
    path("email/<str:token>/", email_pages.EmailVerify.as_view(), name="email_verify"),
]
