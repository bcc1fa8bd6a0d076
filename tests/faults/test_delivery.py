"""Delivery under faults: nothing that was acknowledged is lost, nothing is shown twice, everybody sees one order."""

import asyncio
import signal

from tests.faults.storm import FULL, Room, sized, storm


async def test_a_storm_without_faults_shows_everybody_everything_once(cluster, row):
    outcome = await storm(cluster)

    row("no fault", **outcome.summary())
    assert outcome.verdict.findings == []
    assert {one.outcome for one in outcome.sent} == {"ok"}
    assert outcome.codes == {}
