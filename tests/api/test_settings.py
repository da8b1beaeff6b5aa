"""Settings come from the environment, each by its own variable; one that is unknown or wrong is refused by name."""

import msgspec
import pytest

from api.settings import Settings, SettingsError, from_environment

VARIABLES: dict[str, tuple[str, str, object]] = {
    "database_url": ("DATABASE_URL", "postgresql+asyncpg://me@host/items", "postgresql+asyncpg://me@host/items"),
    "max_queue": ("ITEMLEDGER_MAX_QUEUE", "7", 7),
    "max_batch": ("ITEMLEDGER_MAX_BATCH", "1000", 1000),
    "max_batch_queue": ("ITEMLEDGER_MAX_BATCH_QUEUE", "3", 3),
    "max_body": ("ITEMLEDGER_MAX_BODY", "1", 1),
    "max_batch_body": ("ITEMLEDGER_MAX_BATCH_BODY", "1", 1),
    "body_timeout": ("ITEMLEDGER_BODY_TIMEOUT", "0.5", 0.5),
    "check_interval": ("ITEMLEDGER_CHECK_INTERVAL", "0", 0.0),
    "log_level": ("ITEMLEDGER_LOG_LEVEL", "debug", "debug"),
}
WRONG = {
    "ITEMLEDGER_MAX_QUEUE": ["0", "-1", "many", "", "1.5", " 7", "nan", "1_0", "None"],
    "ITEMLEDGER_MAX_BATCH": ["0", "1001", "x", "9" * 30],
    "ITEMLEDGER_MAX_BATCH_QUEUE": ["0", "few"],
    "ITEMLEDGER_MAX_BODY": ["0", "64k"],
    "ITEMLEDGER_MAX_BATCH_BODY": ["0", "1m"],
    "ITEMLEDGER_BODY_TIMEOUT": ["0", "-1", "nan", "soon", "", "-inf", "1e400"],
    "ITEMLEDGER_CHECK_INTERVAL": ["-1", "nan", "inf", "86401", "never", ""],
    "ITEMLEDGER_LOG_LEVEL": ["loud", "INFO", "", "info\n", "xinfo"],
}


def test_every_setting_has_its_variable_here() -> None:
    assert set(VARIABLES) == set(Settings.__struct_fields__)


@pytest.mark.parametrize("field", VARIABLES)
def test_a_setting_is_read_from_its_variable_alone(field: str) -> None:
    variable, text, value = VARIABLES[field]
    settings = from_environment({variable: text, "PATH": "/bin"})
    assert msgspec.structs.asdict(settings) == {**msgspec.structs.asdict(Settings()), field: value}


def test_all_settings_have_defaults_that_are_valid() -> None:
    assert from_environment({}) == Settings()
    msgspec.convert(msgspec.structs.asdict(Settings()), Settings)


@pytest.mark.parametrize(
    "variable", ["ITEMLEDGER_MAX_QUEUES", "ITEMLEDGER_", "ITEMLEDGER_max_queue", "ITEMLEDGER_DATABASE_URL"]
)
def test_an_unknown_variable_of_ours_is_refused_by_name(variable: str) -> None:
    with pytest.raises(SettingsError, match=rf"^{variable} is not a setting; there are .*ITEMLEDGER_MAX_QUEUE"):
        from_environment({variable: "1"})


@pytest.mark.parametrize(("variable", "text"), [(name, text) for name, texts in WRONG.items() for text in texts])
def test_a_wrong_value_is_refused_by_name(variable: str, text: str) -> None:
    with pytest.raises(SettingsError, match=rf"^{variable}: "):
        from_environment({variable: text})
