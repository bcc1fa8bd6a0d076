"""Accounts in the admin: moderators look people up, administrators change rights."""

from typing import Any
from uuid import UUID

from django import forms
from django.contrib import admin
from django.contrib.auth.admin import UserAdmin
from django.contrib.auth.forms import AdminPasswordChangeForm
from django.core.exceptions import ValidationError
from django.http import HttpRequest
from django.urls import reverse
from django.utils.html import format_html

from accounts.forms import AdminSignInForm
from accounts.models import User
from accounts.names import clean_display_name
from accounts.services import account_update, password_set
from livestream.actors import actor_of
from livestream.errors import Invalid
from livestream.read_only_admin import ReadOnlyAdmin, isolated

admin.site.login_form = AdminSignInForm

RIGHTS = ("is_active", "is_staff", "is_superuser", "groups", "user_permissions")


class PersonForm(forms.ModelForm):
    """The fields of a person that an administrator may change."""

    class Meta:
        model = User
        fields = ("display_name", "is_active", "is_staff", "is_superuser", "groups", "user_permissions")

    def clean_display_name(self) -> str:
        """Clean the name like everyone else's."""
        try:
            return clean_display_name(self.cleaned_data["display_name"])
        except Invalid as error:
            raise ValidationError(error.message) from None


class PasswordForm(AdminPasswordChangeForm):
    """Django's form, saved by the service that also revokes access granted by the old password."""

    def save(self, commit: bool = True) -> User:
        """Set the password, or disable it."""
        password = self.cleaned_data["password1"] if self.cleaned_data["set_usable_password"] else None
        self.user = password_set(user_id=self.user.pk, password=password)
        return self.user


@admin.register(User)
class PersonAdmin(ReadOnlyAdmin, UserAdmin):
    """People. Moderators read; administrators change rights and passwords. Accounts are neither created nor deleted
    here."""

    form = PersonForm
    change_password_form = PasswordForm
    list_display = ("username", "shown", "standing", "date_joined", "last_login")
    list_filter = ("is_active", "is_staff", "is_superuser", "groups")
    search_fields = ("username", "display_name")
    uuid_search_fields = ("id",)
    date_hierarchy = "date_joined"
    ordering = ("username",)
    readonly_fields = ("id", "username", "password_page", "last_login", "date_joined")
    fieldsets = (
        (None, {"fields": ("id", "username", "display_name", "password_page")}),
        ("Rights", {"fields": RIGHTS}),
        ("Dates", {"fields": ("date_joined", "last_login")}),
    )

    def has_change_permission(self, request: HttpRequest, obj: Any = None) -> bool:
        """Administrators only: changing rights allows granting oneself all of them."""
        return bool(request.user.is_active and request.user.is_superuser)

    def get_readonly_fields(self, request: HttpRequest, obj: Any = None) -> Any:
        """Protect administrators from removing their own rights by mistake."""
        own = obj is not None and obj.pk == request.user.pk
        return (*self.readonly_fields, *(RIGHTS if own else ()))

    @admin.display(description="display name", ordering="display_name")
    def shown(self, user: User) -> str:
        """Return the name shown to others."""
        return isolated(user.shown_name)

    @admin.display(description="role")
    def standing(self, user: User) -> str | None:
        """Return administrator, staff, or closed."""
        rank = "Administrator" if user.is_superuser else "Staff" if user.is_staff else ""
        return ", ".join(word for word in (rank, "" if user.is_active else "Closed") if word) or None

    @admin.display(description="password")
    def password_page(self, user: User) -> str:
        """Return a link to set a new password. The hash is not shown."""
        address = reverse("admin:auth_user_password_change", args=[user.pk])
        return format_html('<a href="{}">Set new password</a>', address)

    def save_model(self, request: HttpRequest, obj: User, form: Any, change: bool) -> None:
        """Pass the changes to the service."""
        direct = ("display_name", "is_active", "is_staff", "is_superuser")
        changes = {name: form.cleaned_data[name] for name in form.changed_data if name in direct}
        if changes:
            account_update(user_id=UUID(str(obj.pk)), actor=actor_of(request.user), changes=changes)
