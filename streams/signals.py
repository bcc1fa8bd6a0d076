"""Signals of sessions to the apps above, sent inside the transaction that they are about."""

from django.dispatch import Signal

# Arguments: session_id, now.
session_over = Signal()
# Everything issued for the former provider is void. Arguments: session_id, now.
provider_switched = Signal()
# A participant lost a right and what they hold for it. Arguments: session_id, user_id, lost, now.
rights_lost = Signal()
