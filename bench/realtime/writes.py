"""`python -m bench.realtime.writes SECONDS THREADS FILE`: ChatMessage.objects.create at full speed, no sockets.

One transaction for each message, in an existing session; FILE holds the people. Prints messages per second as JSON.
"""

import json
import os
import sys
import threading
import time
import uuid
from pathlib import Path

import django

os.environ.setdefault("DJANGO_SETTINGS_MODULE", "livestream.settings")
django.setup()

from django.db import connection, transaction  # noqa: E402
from django.utils import timezone  # noqa: E402

from chat.models import ChatMessage  # noqa: E402
from streams.models import StreamSession  # noqa: E402

seconds, threads = float(sys.argv[1]), int(sys.argv[2])
people = json.loads(Path(sys.argv[3]).read_text())
session = StreamSession.objects.order_by("created_at")[0]
first_seq = 1_000_000_000 + int(time.time()) % 1_000_000 * 1000  # far from the numbers of other writers
counts = [0] * threads
until = time.monotonic() + seconds


def write(number: int) -> None:
    person = people[number % len(people)]
    while time.monotonic() < until:
        with transaction.atomic():
            ChatMessage.objects.create(
                session_id=session.pk,
                seq=first_seq + counts[number] * threads + number,
                client_id=uuid.uuid4().hex,
                user_id=person["id"],
                username=person["username"],
                display_name=person["username"],
                role="viewer",
                content="x" * 140,
                created_at=timezone.now(),
            )
        counts[number] += 1
    connection.close()


workers = [threading.Thread(target=write, args=(number,)) for number in range(threads)]
for worker in workers:
    worker.start()
for worker in workers:
    worker.join()
ChatMessage.objects.filter(seq__gte=first_seq).delete()
print(json.dumps({"per_second": sum(counts) / seconds}))
