"""The product's API, as one of the demo people by bearer token."""

import json
import urllib.request
from typing import Any

from tests.e2e.product import Product


class Caller:
    """A client of one person."""

    def __init__(self, product: Product, username: str) -> None:
        self.url, self.access = f"{product.url}/api/v1/", ""
        self.access = self.post("auth/token/", {"username": username, "password": "demo"})["access"]

    def post(self, path: str, body: dict[str, Any] | None = None) -> Any:
        """Return the answer; anything but success raises."""
        headers = {"Content-Type": "application/json"}
        if self.access:
            headers["Authorization"] = f"Bearer {self.access}"
        request = urllib.request.Request(self.url + path, data=json.dumps(body or {}).encode(), headers=headers)
        with urllib.request.urlopen(request, timeout=10) as answer:
            return json.load(answer)
