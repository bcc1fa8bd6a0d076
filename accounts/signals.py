"""Signals of accounts, sent inside the transaction of the change."""

from django.dispatch import Signal

# All access of a person ends: new password, revoked rights, closed account. Arguments: user_id, now.
access_revoked = Signal()
