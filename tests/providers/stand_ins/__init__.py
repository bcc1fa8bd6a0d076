"""Local servers that speak the vendors' wire formats strictly.

Each keeps the people of its rooms and acts on them as the real one documents. Any malformed request (a path, a header,
a missing or unknown field) is answered as a mistake, and recorded in `mistakes`.
"""

from tests.providers.stand_ins.agora import AgoraStandIn
from tests.providers.stand_ins.daily import DailyStandIn
from tests.providers.stand_ins.livekit import LiveKitStandIn
from tests.providers.stand_ins.mux import MuxStandIn
from tests.providers.stand_ins.node import NodeStandIn
from tests.providers.stand_ins.server import Person, Raw, Refused, StandIn, basic, only, running
from tests.providers.stand_ins.whip import WhipStandIn

__all__ = [
    "AgoraStandIn",
    "DailyStandIn",
    "LiveKitStandIn",
    "MuxStandIn",
    "NodeStandIn",
    "Person",
    "Raw",
    "Refused",
    "StandIn",
    "WhipStandIn",
    "basic",
    "only",
    "running",
]
