"""The account of a person."""

import uuid

from django.contrib.auth.models import AbstractUser, UserManager
from django.core.validators import MaxLengthValidator, RegexValidator
from django.db import models
from django.db.models.functions import Lower


class User(AbstractUser):
    """A person with an account. `username` is unique regardless of case; `display_name` is shown to others."""

    id = models.UUIDField(primary_key=True, default=uuid.uuid4, editable=False)
    username = models.CharField(
        max_length=30,
        unique=True,
        validators=[
            RegexValidator(
                r"\A[A-Za-z0-9](?:[A-Za-z0-9_.-]{0,28}[A-Za-z0-9])?\Z",
                "Use 1 to 30 letters, numbers, dots, dashes or underscores. Start and end with a letter or number.",
            )
        ],
        error_messages={"unique": "That name is taken. Choose another one."},
    )
    display_name = models.CharField(max_length=50, blank=True, validators=[MaxLengthValidator(50)])

    # `email` is always a verified address, or "". A new one waits in `pending_email` until its owner opens the link.
    email = models.EmailField(blank=True, editable=False)
    pending_email = models.EmailField(blank=True, editable=False)

    is_demo = models.BooleanField(default=False, editable=False, help_text="Has a public password.")

    access_version = models.PositiveIntegerField(
        default=0,
        db_default=0,
        editable=False,
        help_text="Incremented on new passwords and lost rights; voids earlier access.",
    )

    objects = UserManager()  # type: ignore[misc]

    class Meta(AbstractUser.Meta):
        constraints = [
            models.UniqueConstraint(Lower("username"), name="username_unique_in_any_case"),
            models.UniqueConstraint(Lower("email"), condition=~models.Q(email=""), name="email_unique_in_any_case"),
        ]

    def __str__(self) -> str:
        return self.username

    @property
    def shown_name(self) -> str:
        """The name shown to others."""
        return self.display_name or self.username
