"""Changes of keys in the log: who made which, whatever the log's level."""

from api.auth.api_keys.store import ApiKey
from api.logs import audit


def log_change(done: str, key: ApiKey, by: str, **more: object) -> None:
    """Say that `key` was "created", "rotated" or "revoked", and by whom."""
    audit.info(f"API key {done}", key_id=key.id, name=key.name, scopes=key.scopes, by=by, **more)
