"""Names of audit entries for people."""

from typing import Any

from streams.state import EndReason, SessionState

ACTIONS = {
    "session.active": "Show went live",
    "session.paused": "Show paused",
    "session.ended": "Show ended",
    "session.error": "Show failed",
    "session.provider": "Went on with another video service",
    "participant.invite": "Let into the show by name",
    "stage.approve": "Let on stage",
    "stage.reject": "Request declined",
    "stage.invite": "Invited on stage",
    "stage.mute": "Muted",
    "stage.mute_all": "Muted everyone",
    "stage.remove": "Removed from the stage",
    "stage.promote": "Promoted",
    "stage.demote": "Demoted",
    "stage.appoint": "Made moderator",
    "stage.dismiss": "Dismissed as moderator",
    "stage.kick": "Removed from the show",
    "stage.ban": "Banned from the show",
    "stage.readmit": "Let back in",
    "chat.remove": "Message removed",
}
KINDS = {"audio": "microphone", "video": "camera", "screen": "screen"}
RANKS = {"viewer": "viewer", "guest": "guest", "cohost": "co-host"}


def action_words(action: str) -> str:
    """Return the name of an action."""
    return ACTIONS.get(action, action)


def reason_words(reason: str) -> str:
    """Return the name of the reason why a show ended. Free text is returned unchanged."""
    return _label(EndReason, reason)


def details_words(details: dict[str, Any]) -> str:
    """Return an entry's details: kind, from and to, number of people, reason. Unknown values are returned unchanged."""
    parts = [_detail(name, value) for name, value in details.items()]
    return "; ".join(part for part in parts if part)


def _detail(name: str, value: Any) -> str:
    if not value:
        return ""
    word = str(value)
    match name:
        case "kind":
            return KINDS.get(word, word)
        case "people" if isinstance(value, list):
            return "1 person" if len(value) == 1 else f"{len(value)} people"
        case "from" | "to":
            return f"{name} {RANKS.get(word) or _label(SessionState, word).lower()}"
        case "reason":
            return reason_words(word)
        case "message":
            return ""  # an id; lists link to the message
    return f"{name}: {word}"


def _label(choices: type[SessionState] | type[EndReason], value: str) -> str:
    return str(choices(value).label) if value in choices.values else value
