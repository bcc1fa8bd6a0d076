"""`python -m bench.realtime.tutorial.prepare N`: creates the tutorial's database and N people logged in there.

Prints the session keys as a JSON list.
"""

import json
import os
import sys

import django

os.environ.setdefault("DJANGO_SETTINGS_MODULE", "bench.realtime.tutorial.settings")
django.setup()

from django.contrib.auth.models import User  # noqa: E402
from django.core.management import call_command  # noqa: E402

from bench.realtime.sign_in import session_keys  # noqa: E402

call_command("migrate", verbosity=0, interactive=False)
count = int(sys.argv[1])
User.objects.bulk_create([User(username=f"person-{number}", password="!") for number in range(count)])
print(json.dumps(session_keys(User.objects.order_by("pk"))))
