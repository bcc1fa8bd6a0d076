"""Tests of the product."""

import os

# `make nightly` sets it: every test on every setup, with many random examples.
NIGHTLY = os.environ.get("NIGHTLY") == "1"
