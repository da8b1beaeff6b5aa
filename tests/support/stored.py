"""Events as a log may hold them, whatever is in them."""

import msgspec
from hypothesis import strategies as st

from eventstore.history import StoredEvent

_TEXT = st.text(st.characters(codec="utf-8"))
STORED_EVENTS = st.builds(
    StoredEvent,
    position=st.integers(1, 2**63 - 1),
    item_id=st.integers(1, 2**63 - 1),
    version=st.integers(1, 2**63 - 1),
    data=st.dictionaries(_TEXT, _TEXT).map(lambda data: msgspec.json.encode(data).decode()),
    recorded_at=st.integers(0, 253_402_300_799_999_999),
    actor=_TEXT,
    type=_TEXT,
    command_id=_TEXT,
    ordinal=st.integers(0, 1000),
    fingerprint=st.binary(min_size=32, max_size=32),
    correlation_id=st.none() | _TEXT,
    causation_id=st.none() | _TEXT,
    leaf_hash=st.binary(min_size=32, max_size=32),
)
