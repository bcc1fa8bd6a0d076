"""Receivers of the signals of the packages below: media tokens are revoked with the rights behind them."""

from datetime import datetime
from typing import Any
from uuid import UUID

from django.dispatch import receiver

from accounts.signals import access_revoked
from streams.services.people.revocation import Lost
from streams.signals import provider_switched, rights_lost, session_over
from tokens.account_revocation import account_tokens_revoke
from tokens.services import person_tokens_revoke, session_tokens_revoke


@receiver([session_over, provider_switched])
def revoke_session_tokens(*, session_id: UUID, now: datetime, **_: Any) -> None:
    """Revoke all tokens of a session."""
    session_tokens_revoke(session_id, now)


@receiver(rights_lost)
def revoke_participant_tokens(*, session_id: UUID, user_id: UUID, lost: Lost, now: datetime, **_: Any) -> None:
    """Revoke a participant's tokens: all, or only those for publishing."""
    person_tokens_revoke(session_id, user_id, lost, now)


@receiver(access_revoked)
def revoke_account_tokens(*, user_id: UUID, now: datetime, **_: Any) -> None:
    """Revoke all of a person's tokens and disconnect media opened with them."""
    account_tokens_revoke(user_id, now)
