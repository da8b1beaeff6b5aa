"""Every setting: one frozen Struct, read from the environment here and nowhere else."""

import os
from collections.abc import Mapping
from typing import Annotated, Literal

import msgspec
from msgspec import Meta, Struct

PREFIX = "ITEMLEDGER_"


class SettingsError(Exception):
    """A setting in the environment is unknown or wrong."""


class Settings(Struct, frozen=True, forbid_unknown_fields=True):
    """What an operator can choose. A field is read from ITEMLEDGER_ and its name in capitals, but for the first."""

    #: `sqlite+aiosqlite:///FILE` or `postgresql+asyncpg://USER@HOST/DATABASE`; read from DATABASE_URL.
    database_url: str = "sqlite+aiosqlite:///./var/itemledger.db"
    #: Writes that may wait; one more is answered 503.
    max_queue: Annotated[int, Meta(ge=1)] = 1024
    #: Commands that share one commit; a batch of more has one for itself.
    max_batch: Annotated[int, Meta(ge=1, le=1000)] = 32
    #: Such batches that may wait besides; one more is answered 503.
    max_batch_queue: Annotated[int, Meta(ge=1)] = 16
    #: Bytes in a request body; more is answered 413.
    max_body: Annotated[int, Meta(ge=1)] = 64 * 1024
    #: Bytes in the body of a batch; more is answered 413.
    max_batch_body: Annotated[int, Meta(ge=1)] = 1024 * 1024
    #: Seconds that a request body may take to arrive; more is answered 408.
    body_timeout: Annotated[float, Meta(gt=0, le=3600)] = 15.0
    #: Seconds between two steps of the check that compares projections with the log; 0: it is not made.
    check_interval: Annotated[float, Meta(ge=0, le=86_400)] = 10.0
    #: The least severe lines that are logged.
    log_level: Literal["debug", "info", "warning", "error"] = "info"


def from_environment(environment: Mapping[str, str] = os.environ) -> Settings:
    """Read the settings. Raises SettingsError, naming the variable that is unknown or wrong."""
    values = {name: value for name, value in environment.items() if name.startswith(PREFIX)}
    fields = {_variable(field): field for field in Settings.__struct_fields__}
    if unknown := sorted(set(values) - set(fields)):
        raise SettingsError(f"{unknown[0]} is not a setting; there are {', '.join(sorted(fields))}")
    if "DATABASE_URL" in environment:
        values["DATABASE_URL"] = environment["DATABASE_URL"]
    settings = {fields[name]: value for name, value in values.items()}
    try:
        return msgspec.convert(settings, Settings, strict=False)
    except msgspec.ValidationError as error:
        raise SettingsError(_in_their_words(str(error))) from None


def _variable(field: str) -> str:
    return "DATABASE_URL" if field == "database_url" else PREFIX + field.upper()


def _in_their_words(message: str) -> str:
    expected, _, path = message.partition(" - at `$.")
    return f"{_variable(path.rstrip('`'))}: {expected}"
