"""Tests of the product."""

import os

# `make nightly` sets it: everything on everything, with many random examples.
NIGHTLY = os.environ.get("NIGHTLY") == "1"
