"""`manage.py demo`: the accounts of the demo mode."""

from typing import Any

from django.core.management.base import BaseCommand, CommandError

from accounts.demo_accounts import DEMO_PASSWORD, demo_people_create


class Command(BaseCommand):
    """Creates the demo accounts. Idempotent."""

    help = "Make the demo people (only with DEMO=1)."

    def handle(self, *args: Any, **options: Any) -> None:
        try:
            people = demo_people_create()
        except RuntimeError as error:
            raise CommandError(str(error)) from None
        if not options["verbosity"]:
            return
        names = ", ".join(user.username for user in people)
        self.stdout.write(f"Demo people: {names}; password: {DEMO_PASSWORD}")
