"""Health checks: whether the process is alive, and whether it is ready."""

from collections.abc import Callable

import urllib3
from django.conf import settings
from django.core.cache import cache
from django.db import connection
from django.http import HttpRequest, HttpResponse, JsonResponse
from django.views.decorators.http import require_safe

TIMEOUT_SECONDS = 2.0


@require_safe
async def health(request: HttpRequest) -> HttpResponse:
    """Return 200 while the process responds at all, however busy its threads are."""
    return JsonResponse({"status": "ok"})


def _database() -> None:
    with connection.cursor() as cursor:
        cursor.execute("SELECT 1 FROM django_migrations LIMIT 1")


def _cache() -> None:
    cache.set("health", "ok", 5)
    if cache.get("health") != "ok":
        raise RuntimeError("the cache forgets")


def _media() -> None:
    response = urllib3.request("GET", f"{settings.MEDIA_URL_INTERNAL}/health", timeout=TIMEOUT_SECONDS, retries=False)
    if response.status != 200:
        raise RuntimeError(f"the media node answered {response.status}")


@require_safe
def ready(request: HttpRequest) -> HttpResponse:
    """Return 200 if all services that this process needs respond. A 503 names the others."""
    checks: dict[str, Callable[[], None]] = {
        "database": _database,
        "redis" if settings.REDIS_URL else "cache": _cache,
    }
    if settings.MEDIA_PROVIDER == "builtin":
        checks["media"] = _media
    results = {}
    for name, check in checks.items():
        try:
            check()
            results[name] = "ok"
        except Exception:  # all failures mean the same to the caller, and their text may contain secrets
            results[name] = "down"
    down = sorted(name for name, result in results.items() if result != "ok")
    body = {"status": "down" if down else "ok", "checks": results, "down": down}
    return JsonResponse(body, status=503 if down else 200)
