"""Signals of accounts, sent inside the transaction that they are about."""

from django.dispatch import Signal

# Everything a person has open ends: a new password, rights withdrawn, an account closed. Arguments: user_id, now.
access_revoked = Signal()
