"""`python -m bench.realtime.prepare PEOPLE ROOMS FILE`: creates the product's database with people and live sessions.

Writes the people to FILE as JSON; prints the sessions' ids and the people's session keys.
"""

import json
import os
import sys
from pathlib import Path

import django

os.environ.setdefault("DJANGO_SETTINGS_MODULE", "livestream.settings")
django.setup()

from django.core.management import call_command  # noqa: E402

from accounts.models import User  # noqa: E402
from bench.realtime.sign_in import session_keys  # noqa: E402
from livestream.actors import actor_of  # noqa: E402
from streams.services.show.sessions import session_create, session_start  # noqa: E402

people_count, room_count, file = int(sys.argv[1]), int(sys.argv[2]), Path(sys.argv[3])
call_command("migrate", verbosity=0, interactive=False)
names = [f"person-{number}" for number in range(people_count)]
people = User.objects.bulk_create([User(username=name, display_name=name, password="!") for name in names])
rooms = []
for number in range(room_count):
    host = actor_of(User.objects.create(username=f"host-{number}", display_name="Host", password="!"))
    session = session_create(actor=host, title="A full house")
    rooms.append(str(session_start(session_id=session.pk, actor=host).pk))
file.write_text(json.dumps([{"id": str(person.pk), "username": person.username} for person in people]))
print(json.dumps({"rooms": rooms, "cookies": session_keys(people)}))
