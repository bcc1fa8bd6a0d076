"""The pages of accounts: sign up, log in, profile, password."""

from typing import Any

from django import forms
from django.conf import settings
from django.contrib import messages
from django.contrib.auth import login, update_session_auth_hash
from django.contrib.auth.mixins import LoginRequiredMixin
from django.contrib.auth.views import LoginView, RedirectURLMixin
from django.http import HttpRequest, HttpResponse
from django.shortcuts import redirect
from django.urls import reverse, reverse_lazy
from django.utils.decorators import method_decorator
from django.views.decorators.cache import never_cache
from django.views.decorators.debug import sensitive_post_parameters
from django.views.generic import FormView

from accounts.demo_accounts import DEMO_PASSWORD, DEMO_PEOPLE, DemoPerson
from accounts.forms import SignInForm, sentence
from accounts.known_browsers import browser_remember, known_browser
from accounts.login_limits import network_of
from accounts.models import User
from accounts.services import MAX_PASSWORD_LENGTH, password_change, profile_update, user_register
from livestream.actors import actor_of
from livestream.errors import DomainError
from livestream.ratelimit import require_allowed
from livestream.rest import client_address

BACKEND = "accounts.backends.LimitedModelBackend"


# The rules of settings.AUTH_PASSWORD_VALIDATORS.
RULES = "At least 8 characters. Choose one that is hard to guess."


def password_field(autocomplete: str, help_text: str = "") -> forms.CharField:
    """Return a form field for a password."""
    widget = forms.PasswordInput(attrs={"autocomplete": autocomplete, "maxlength": MAX_PASSWORD_LENGTH})
    return forms.CharField(widget=widget, strip=False, max_length=MAX_PASSWORD_LENGTH, help_text=help_text)


class LogInForm(SignInForm):
    """The log-in form with the pages' messages."""

    error_messages = {
        **SignInForm.error_messages,
        "invalid_login": "Wrong username or password.",
    }


class SignUpForm(forms.Form):
    """Only the fields; `user_register` has the rules."""

    username = forms.CharField(
        label="Username",
        max_length=30,
        help_text="Letters, numbers, dots, dashes and underscores. Others can find you by it.",
        widget=forms.TextInput(attrs={"autocomplete": "username", "autocapitalize": "none", "spellcheck": "false"}),
    )
    display_name = forms.CharField(
        label="Display name",
        max_length=50,
        required=False,
        widget=forms.TextInput(attrs={"autocomplete": "nickname", "dir": "auto"}),
    )
    email = forms.EmailField(
        label="Email",
        required=False,
        help_text="To get back in if you forget your password. Only you can see it.",
        widget=forms.EmailInput(attrs={"autocomplete": "email"}),
    )
    password = password_field("new-password", RULES)


class ProfileForm(forms.Form):
    """A person's profile."""

    display_name = forms.CharField(
        label="Display name",
        max_length=50,
        required=False,
        help_text="Shown in chats and on your shows. Leave empty to use your username.",
        widget=forms.TextInput(attrs={"autocomplete": "nickname", "dir": "auto"}),
    )


class PasswordForm(forms.Form):
    """Current and new password."""

    old_password = password_field("current-password")
    new_password = password_field("new-password", RULES)


def _show(form: forms.Form, error: DomainError) -> None:
    """Add the domain's errors to the fields that they concern."""
    left = dict(error.fields or {})
    for name in form.fields:
        for text in left.pop(name, []):
            form.add_error(name, text)
    if left or not error.fields:
        form.add_error(None, sentence(error))


class DomainFormView(FormView):
    """A form whose processing may raise a DomainError."""

    def work(self, form: Any) -> None:
        """Process the form. May raise DomainError."""
        raise NotImplementedError

    def form_valid(self, form: Any) -> HttpResponse:
        try:
            self.work(form)
        except DomainError as error:
            _show(form, error)
            response = self.form_invalid(form)
            response.status_code = error.status
            return response
        return super().form_valid(form)


def _what(person: DemoPerson) -> str:
    if person.is_superuser:
        return "Runs the site"
    if person.is_staff:
        return "Moderates chats"
    return "Goes live" if person.username == "seller" else "Watches and chats"


@method_decorator(never_cache, name="dispatch")
class LogIn(LoginView):
    """Log in. In the demo mode the page lists the demo accounts."""

    template_name = "accounts/login.html"
    authentication_form = LogInForm
    redirect_authenticated_user = True

    def get_form(self, form_class: Any = None) -> Any:
        form = super().get_form(form_class)
        if settings.DEMO:  # the focus would scroll the demo accounts out of view
            form.fields["username"].widget.attrs.pop("autofocus", None)
        return form

    def get_context_data(self, **kwargs: Any) -> dict[str, Any]:
        people = []
        if settings.DEMO:
            people = [
                {
                    "username": person.username,
                    "display_name": person.display_name,
                    "password": DEMO_PASSWORD,
                    "what": _what(person),
                }
                for person in DEMO_PEOPLE
            ]
        return super().get_context_data(demo_people=people, **kwargs)


@method_decorator([never_cache, sensitive_post_parameters()], name="dispatch")
class SignUp(RedirectURLMixin, DomainFormView):
    """Create an account and log in."""

    template_name = "accounts/signup.html"
    form_class = SignUpForm

    def get_default_redirect_url(self) -> str:
        return reverse("home")

    def dispatch(self, request: HttpRequest, *args: Any, **kwargs: Any) -> Any:
        if request.user.is_authenticated:
            return redirect(self.get_success_url())
        return super().dispatch(request, *args, **kwargs)

    def work(self, form: SignUpForm) -> None:
        address = network_of(client_address(self.request))
        require_allowed(scope="register", key=address, limit=settings.REGISTRATIONS_PER_HOUR, seconds=3600)
        user = user_register(**form.cleaned_data)
        login(self.request, user, backend=BACKEND)
        browser_remember(self.request, user.username)

    def get_context_data(self, **kwargs: Any) -> dict[str, Any]:
        return super().get_context_data(next=self.get_redirect_url(), **kwargs)


class OwnForm(LoginRequiredMixin, DomainFormView):
    """A form about the logged-in person."""

    success_url = reverse_lazy("profile")

    def person(self) -> User:
        user = self.request.user
        assert isinstance(user, User)
        return user


@method_decorator(never_cache, name="dispatch")
class Profile(OwnForm):
    """Edit the person's profile."""

    template_name = "accounts/profile.html"
    form_class = ProfileForm

    def get_initial(self) -> dict[str, Any]:
        return {"display_name": self.person().display_name}

    def work(self, form: ProfileForm) -> None:
        profile_update(actor=actor_of(self.person()), display_name=form.cleaned_data["display_name"])
        messages.success(self.request, "Saved.")


@method_decorator([never_cache, sensitive_post_parameters()], name="dispatch")
class PasswordChange(OwnForm):
    """Change the password. This browser stays logged in."""

    template_name = "accounts/password_change.html"
    form_class = PasswordForm

    def work(self, form: PasswordForm) -> None:
        user = password_change(
            actor=actor_of(self.person()),
            address=client_address(self.request),
            browser=known_browser(self.request, self.person().username),
            **form.cleaned_data,
        )
        update_session_auth_hash(self.request, user)
        messages.success(self.request, "Password changed. Other devices have been logged out.")
