"""Events as a log may hold them, whatever is in them."""

import msgspec
from hypothesis import strategies as st

from eventstore.log.history import StoredEvent, leaf
from eventstore.merkle.hashing import leaf_hash

_TEXT = st.text(st.characters(codec="utf-8"))
STORED_EVENTS = st.builds(
    StoredEvent,
    position=st.integers(1, 2**63 - 1),
    item_id=st.integers(1, 2**63 - 1),
    version=st.integers(1, 2**63 - 1),
    data=st.dictionaries(_TEXT, _TEXT).map(lambda data: msgspec.json.encode(data).decode()),
    recorded_at=st.integers(0, 253_402_300_799_999_999),
    actor=_TEXT,
    credential=st.none() | _TEXT,
    type=_TEXT,
    command_id=_TEXT,
    ordinal=st.integers(0, 1000),
    fingerprint=st.binary(min_size=32, max_size=32),
    correlation_id=st.none() | _TEXT,
    causation_id=st.none() | _TEXT,
    leaf_hash=st.binary(min_size=32, max_size=32),
)


def whole_log(size: int) -> list[StoredEvent]:
    """Return the events of a log: items with three events each, of which each is what its hash was made of."""
    found = []
    for position in range(1, size + 1):
        item_id, version = (position - 1) // 3 * 3 + 1, (position - 1) % 3 + 1
        event = StoredEvent(
            position=position,
            item_id=item_id,
            version=version,
            type="item.created.v1" if version == 1 else "item.changed.v1",
            data=f'{{"name":"Füller {position}","price":"1.5","in_stock":true}}' if version == 1 else '{"price":"2"}',
            recorded_at=1_795_507_200_000_000 + position,
            actor="anonymous",
            credential=None if position % 2 else "key:a1b2c3d4",
            command_id=f"command-{position}",
            ordinal=0,
            fingerprint=bytes(32),
            correlation_id=None if position % 2 else "trace",
            causation_id=None,
            leaf_hash=b"",
        )
        found.append(hashed(event))
    return found


def hashed(event: StoredEvent) -> StoredEvent:
    """Return `event` with the hash of what it says."""
    return msgspec.structs.replace(event, leaf_hash=leaf_hash(leaf(event)))
