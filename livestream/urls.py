"""Every address of the product; see docs/protocol.md."""

from django.contrib import admin
from django.urls import path

from livestream.health import health, ready
from livestream.metrics import metrics

urlpatterns = [
    path("health", health, name="health"),
    path("health/ready", ready, name="ready"),
    path("metrics", metrics, name="metrics"),
    path("admin/", admin.site.urls),
]
