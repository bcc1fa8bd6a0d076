"""The five states of a session and the table of transitions."""

from django.db import models


class SessionState(models.TextChoices):
    """The state of a session."""

    INITIALIZING = "initializing", "Getting ready"
    ACTIVE = "active", "Live"
    PAUSED = "paused", "Paused"
    ENDED = "ended", "Ended"
    ERROR = "error", "Failed"


class EndReason(models.TextChoices):
    """The reason why a session is over."""

    HOST = "host", "The host ended it"
    MODERATOR = "moderator", "A moderator ended it"
    HOST_NEVER_CAME = "host_never_came", "The host never came"
    HOST_LOST = "host_lost", "The host did not come back"
    NEVER_STARTED = "never_started", "It was never started"
    PAUSED_TOO_LONG = "paused_too_long", "It was paused for too long"
    FAILURE = "failure", "Something failed"


ALLOWED: dict[SessionState, frozenset[SessionState]] = {
    SessionState.INITIALIZING: frozenset({SessionState.ACTIVE, SessionState.ENDED, SessionState.ERROR}),
    SessionState.ACTIVE: frozenset({SessionState.PAUSED, SessionState.ENDED, SessionState.ERROR}),
    SessionState.PAUSED: frozenset({SessionState.ACTIVE, SessionState.ENDED, SessionState.ERROR}),
    SessionState.ERROR: frozenset({SessionState.ENDED}),
    SessionState.ENDED: frozenset(),
}

LIVE = frozenset({SessionState.ACTIVE, SessionState.PAUSED})
OVER = frozenset({SessionState.ENDED, SessionState.ERROR})
OPEN = frozenset({SessionState.INITIALIZING, SessionState.ACTIVE, SessionState.PAUSED})


def can_move(*, current: SessionState, to: SessionState) -> bool:
    """Return whether the table allows this transition. Staying in a state is not a transition."""
    return to in ALLOWED[current]
