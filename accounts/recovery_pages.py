"""The pages of a forgotten password: request a link, and set a new password by it."""

from typing import Any

from django import forms
from django.contrib import messages
from django.http import HttpRequest, HttpResponse
from django.shortcuts import redirect
from django.urls import reverse_lazy
from django.utils import timezone
from django.utils.decorators import method_decorator
from django.views.decorators.cache import never_cache
from django.views.decorators.debug import sensitive_post_parameters

from accounts.pages import RULES, DomainFormView, password_field
from accounts.recovery import NAME_LENGTH, password_recover, recovery_account, recovery_request
from livestream.errors import DomainError
from livestream.rest import client_address

# Where the session keeps the link's token, so that the page's address does not hold it.
TOKEN = "recovery_token"  # noqa: S105 - a name
IN_SESSION = "new"


class ForgottenForm(forms.Form):
    """Whose password was forgotten."""

    name = forms.CharField(
        label="Username or email",
        max_length=NAME_LENGTH,
        widget=forms.TextInput(attrs={"autocomplete": "username", "autocapitalize": "none", "spellcheck": "false"}),
    )


class NewPasswordForm(forms.Form):
    """A new password."""

    password = password_field("new-password", RULES)


@method_decorator(never_cache, name="dispatch")
class Forgotten(DomainFormView):
    """Request a link. The answer is the same whether there is such an account or not."""

    template_name = "accounts/forgot.html"
    form_class = ForgottenForm
    success_url = reverse_lazy("login")

    def work(self, form: ForgottenForm) -> None:
        recovery_request(name=form.cleaned_data["name"], address=client_address(self.request), now=timezone.now())
        messages.success(self.request, "If that account has a confirmed email address, we sent a link to it.")


@method_decorator([never_cache, sensitive_post_parameters()], name="dispatch")
class Recover(DomainFormView):
    """Set a new password by a link. The link's token moves into the session first."""

    template_name = "accounts/recover.html"
    form_class = NewPasswordForm
    success_url = reverse_lazy("login")

    def dispatch(self, request: HttpRequest, *args: Any, **kwargs: Any) -> Any:
        token = kwargs["token"]
        in_session = token == IN_SESSION
        try:
            recovery_account(request.session.get(TOKEN, "") if in_session else token)
        except DomainError as error:
            return self._refused(error)
        if not in_session:
            request.session[TOKEN] = token
            return redirect("password_recover", token=IN_SESSION)
        return super().dispatch(request, *args, **kwargs)

    def work(self, form: NewPasswordForm) -> None:
        password_recover(token=self.request.session[TOKEN], password=form.cleaned_data["password"])
        self.request.session.pop(TOKEN, None)
        messages.success(self.request, "Password changed. Log in with your new password.")

    def _refused(self, error: DomainError) -> HttpResponse:
        context = self.get_context_data(form=None, problem=error.message)
        return self.render_to_response(context, status=error.status)
