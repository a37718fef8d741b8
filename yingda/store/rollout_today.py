"""What the release of today did, read from the store of its own service; nothing is written there."""

from __future__ import annotations

from collections.abc import Iterable
from datetime import datetime, timedelta
from itertools import pairwise

from sqlalchemy import select

from yingda.decide.guardrail import harms_between
from yingda.domain.conversation import NEW
from yingda.domain.rollout import Metric
from yingda.store.base import Store
from yingda.store.codec import decode_state
from yingda.store.tables import TurnRow

SKEW = timedelta(minutes=1)
"""How much earlier the service of today may have had a message, by its own clock."""


def handed_off_today(store: Store, conversation_id: str, since: datetime, *, pause: timedelta) -> bool | None:
    """Whether the release of today called for a person in that conversation, from ``since`` until its customer paused.

    What stood before is not counted. None where its service has no such turn. Raises StoreError when its store cannot be read.
    """
    columns = select(TurnRow.version, TurnRow.at, TurnRow.state).where(TurnRow.conversation_id == conversation_id)
    with store.reading() as session:
        rows = session.execute(columns.where(TurnRow.at >= since - SKEW).order_by(TurnRow.version)).all()
        if not rows:
            return None
        earlier = session.execute(columns.where(TurnRow.version < rows[0].version).order_by(TurnRow.version.desc()).limit(1)).first()
    ended = _until_pause([row.at for row in rows], pause)
    before = decode_state(earlier.state) if earlier else NEW
    return Metric.HANDOFF in harms_between(before, [decode_state(row.state) for row in rows[:ended]])


def _until_pause(times: Iterable[datetime], pause: timedelta) -> int:
    """How many turns stand before the first silence of ``pause``."""
    count = 1
    for before, after in pairwise(times):
        if after - before >= pause:
            break
        count += 1
    return count
