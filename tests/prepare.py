"""`python -m tests.prepare`: creates the tables in a new database, and the people that no API can create.

Prints them as JSON: name -> {id, username, access}.
"""

import json

import django

django.setup()

from django.core.management import call_command  # noqa: E402

from accounts.bearer import bearer_pair  # noqa: E402
from accounts.models import User  # noqa: E402

call_command("migrate", verbosity=0, interactive=False)
staff = User.objects.create_user("mo", password="mo's password", display_name="Mo", is_staff=True)
print(  # noqa: T201 - this is its answer
    json.dumps({"mo": {"id": str(staff.pk), "username": staff.username, "access": bearer_pair(user=staff)["access"]}})
)
