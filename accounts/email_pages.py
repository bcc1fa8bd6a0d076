"""The pages of email addresses: change, and confirm by a link."""

from typing import Any

from django import forms
from django.contrib import messages
from django.http import HttpRequest, HttpResponse
from django.shortcuts import redirect, render
from django.utils import timezone
from django.utils.decorators import method_decorator
from django.views import View
from django.views.decorators.cache import never_cache
from django.views.decorators.debug import sensitive_post_parameters

from accounts.email_addresses import MAX_LENGTH, email_change, email_of, email_verify
from accounts.known_browsers import known_browser
from accounts.pages import OwnForm, password_field
from livestream.actors import actor_of
from livestream.errors import DomainError
from livestream.rest import client_address


class EmailForm(forms.Form):
    """A new address, and the current password."""

    email = forms.CharField(
        label="Email",
        max_length=MAX_LENGTH,
        required=False,
        help_text="Leave empty to have none.",
        widget=forms.EmailInput(attrs={"autocomplete": "email"}),
    )
    password = password_field("current-password")


@method_decorator([never_cache, sensitive_post_parameters()], name="dispatch")
class EmailChange(OwnForm):
    """Change the email address, or send its link again."""

    template_name = "accounts/email_change.html"
    form_class = EmailForm

    def get_initial(self) -> dict[str, Any]:
        return {"email": self.person().pending_email or self.person().email}

    def work(self, form: EmailForm) -> None:
        user = email_change(
            actor=actor_of(self.person()),
            address=client_address(self.request),
            browser=known_browser(self.request, self.person().username),
            now=timezone.now(),
            **form.cleaned_data,
        )
        sent = f"We sent a link to {user.pending_email}. Open it to confirm the address."
        messages.success(self.request, sent if user.pending_email else "Saved.")


@method_decorator(never_cache, name="dispatch")
class EmailVerify(View):
    """Confirm an address by a button, because mail programs open links to check them."""

    def get(self, request: HttpRequest, token: str) -> HttpResponse:
        """Show which address the link confirms."""
        try:
            return self._page(request, {"email": email_of(token)})
        except DomainError as error:
            return self._page(request, {"problem": error.message}, error.status)

    def post(self, request: HttpRequest, token: str) -> HttpResponse:
        """Confirm it. The person need not be logged in."""
        try:
            email_verify(token=token, now=timezone.now())
        except DomainError as error:
            return self._page(request, {"problem": error.message}, error.status)
        messages.success(request, "Email address confirmed.")
        return redirect("profile" if request.user.is_authenticated else "login")

    def _page(self, request: HttpRequest, context: dict[str, Any], status: int = 200) -> HttpResponse:
        return render(request, "accounts/email_verify.html", context, status=status)
