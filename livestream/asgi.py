"""The ASGI application: HTTP, room sockets and the lifespan."""

import os

from django.core.asgi import get_asgi_application

os.environ.setdefault("DJANGO_SETTINGS_MODULE", "livestream.settings")
application = get_asgi_application()
