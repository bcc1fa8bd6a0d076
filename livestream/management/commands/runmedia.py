"""`manage.py runmedia`: the built-in media node."""

import sys
from typing import Any

from django.conf import settings
from django.core.management.base import BaseCommand, CommandError

from media_node.config import ConfigInvalid, Limits, NodeConfig
from media_node.node import serve


class Command(BaseCommand):
    """Runs the node until it is stopped and exits with its code."""

    help = "Run the built-in WebRTC media node (WHIP in, WHEP out, one UDP port)."
    # The node needs neither database nor URLs.
    requires_system_checks = []

    def handle(self, *args: Any, **options: Any) -> None:
        try:
            config = NodeConfig(
                secret=settings.MEDIA_SECRET,
                node=settings.MEDIA_NODE,
                udp_port=settings.MEDIA_UDP_PORT,
                http_host=settings.MEDIA_HTTP_HOST,
                http_port=settings.MEDIA_HTTP_PORT,
                public_addresses=tuple(settings.MEDIA_PUBLIC_ADDRESSES),
                webhook_url=settings.MEDIA_WEBHOOK_URL,
                trusted_proxies=tuple(settings.MEDIA_TRUSTED_PROXIES),
                webhook_certificate=settings.MEDIA_WEBHOOK_CERTIFICATE,
                last_n=settings.MEDIA_LAST_N,
                publisher_ceiling=settings.MEDIA_MAX_BITRATE,
                limits=Limits(peers=settings.MEDIA_MAX_PEERS),
                turn_urls=tuple(getattr(settings, "TURN_URLS", ())),
                turn_secret=getattr(settings, "TURN_SECRET", ""),
            )
        except ConfigInvalid as error:
            raise CommandError(str(error)) from None
        code = serve(config)
        if code:
            sys.exit(code)
