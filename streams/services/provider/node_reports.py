"""Reports of the built-in media node, applied to presence and the stage. Those of other providers: `media_events`."""

from datetime import datetime
from typing import Any
from uuid import UUID

from livestream.errors import Invalid
from livestream.identifiers import as_uuid
from streams.models import StreamSession
from streams.services.provider.host_presence import host_lost, host_seen
from streams.services.provider.participant_sync import guest_lost, guest_seen, node_started
from streams.services.stage.slots import slots_note


def builtin_report_apply(*, report: dict[str, Any]) -> None:
    """Apply a report of the media node to the presence of people. Unknown kinds change nothing."""
    kind = report.get("type")
    if kind == "node.started":
        node_started(node=str(report.get("node", "")))
    if kind not in ("publisher.connected", "publisher.lost"):
        return
    try:
        session_id = UUID(str(report["session"]))
        at = datetime.fromisoformat(str(report["at"]))
    except (KeyError, ValueError):
        raise Invalid("webhook.bad_shape", "The report names no session or time.") from None
    if at.tzinfo is None:
        raise Invalid("webhook.bad_shape", "The report's time has no zone.")
    # A show that moved elsewhere ignores reports of the node that it left.
    sessions = StreamSession.objects.filter(pk=session_id, provider="builtin")
    host_id = sessions.values_list("host_id", flat=True).first()
    user_id = as_uuid(report.get("user"))
    if host_id is None or user_id is None:
        return
    details = report.get("data")
    if isinstance(details, dict) and details.get("reason") == "replaced":
        return
    if user_id == host_id:
        (host_seen if kind == "publisher.connected" else host_lost)(session_id=session_id, at=at)
    else:
        (guest_seen if kind == "publisher.connected" else guest_lost)(session_id=session_id, user_id=user_id, at=at)


def slots_report_apply(*, report: dict[str, Any]) -> bool:
    """Store the reported tables of a room's tracks. Return whether they were new.

    Such reports are frequent and only the latest counts, so none is stored: each has a version, and an outdated one
    changes nothing.
    """
    try:
        session_id = UUID(str(report["session"]))
    except (KeyError, ValueError):
        raise Invalid("webhook.bad_shape", "The report names no session.") from None
    return slots_note(session_id=session_id, data=report.get("data"))
