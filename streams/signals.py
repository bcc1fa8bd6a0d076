"""Signals of sessions to the apps above, sent inside the transaction of the change."""

from django.dispatch import Signal

# Arguments: session_id, now.
session_over = Signal()
# All credentials issued for the former provider are void. Arguments: session_id, now.
provider_switched = Signal()
# A participant lost a right and its credentials. Arguments: session_id, user_id, lost, now.
rights_lost = Signal()
