"""Settings: which place wins, and what a wrong one says."""

from __future__ import annotations

import tomllib
from pathlib import Path
from typing import TYPE_CHECKING

import pytest
from hypothesis import given
from hypothesis import strategies as st

from mask_cli.config import (
    default_config_file,
    default_database,
    load_settings,
    readable_by_others,
    settings_path,
)
from mask_cli.errors import ConfigurationError, ExitCode
from mask_cli.models import PhoneNumber
from mask_cli.settings import SETTINGS, sample_settings

if TYPE_CHECKING:
    from mask_cli.config import Settings

SECRETS = [setting.name for setting in SETTINGS if setting.secret]


@pytest.fixture
def file(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """Return the place of a settings file; there is no other one."""
    monkeypatch.setenv("HOME", str(tmp_path))
    monkeypatch.setenv("XDG_CONFIG_HOME", str(tmp_path / "config"))
    monkeypatch.setenv("XDG_DATA_HOME", str(tmp_path / "data"))
    for setting in SETTINGS:
        monkeypatch.delenv(setting.env, raising=False)
    return tmp_path / "mask.toml"


def load(file: Path, text: str, environment: dict[str, str] | None = None) -> Settings:
    file.write_text(text)
    return load_settings({"config": str(file)}, environment or {})


def refusal(file: Path, text: str, environment: dict[str, str] | None = None) -> str:
    with pytest.raises(ConfigurationError) as caught:
        load(file, text, environment)
    assert caught.value.exit_code == ExitCode.CONFIGURATION
    return caught.value.message


@pytest.mark.usefixtures("file")
def test_without_any_place_the_documented_defaults_hold() -> None:
    settings = load_settings({}, {})

    assert (settings["order_digits"], settings["ttl"]) == (5, 864_000)
    assert settings["key_prefix"] == "order:"
    assert settings["region"] is None
    assert settings["voximplant.credentials"] is None
    assert settings["voximplant.endpoint"] == "api.voximplant.com"
    assert {value.source for value in settings.values.values()} == {"default"}


def test_the_stronger_place_wins(file: Path) -> None:
    written = 'database = "file.db"\n'
    environment = {"MASK_DATABASE": "environment.db"}
    file.write_text(written)

    def found(flags: dict[str, str], environment: dict[str, str]) -> tuple[object, str]:
        value = load_settings({"config": str(file), **flags}, environment).values["database"]
        return value.value, value.source

    assert found({"database": "flag.db"}, environment) == ("flag.db", "--database")
    assert found({}, environment) == ("environment.db", "MASK_DATABASE")
    assert found({}, {}) == ("file.db", str(file))
    assert found({}, {"MASK_DATABASE": ""}) == ("file.db", str(file))


def test_an_empty_key_prefix_is_a_prefix_and_not_nothing(file: Path) -> None:
    assert load(file, 'key_prefix = ""')["key_prefix"] == ""
    assert load(file, "", {"MASK_KEY_PREFIX": ""})["key_prefix"] == ""
    assert load(file, 'key_prefix = "a:"', {"MASK_KEY_PREFIX": ""})["key_prefix"] == ""


def test_the_settings_file_is_found_by_flag_then_variable_then_folder(file: Path) -> None:
    variable = {"MASK_CONFIG": "variable.toml"}

    assert settings_path("flag.toml", variable) == Path("flag.toml")
    assert settings_path(None, variable) == Path("variable.toml")
    assert settings_path(None, {}) == default_config_file()
    assert default_config_file().is_relative_to(file.parent)
    assert default_database().is_relative_to(file.parent)


def test_a_file_that_was_named_must_be_there(file: Path) -> None:
    for flags, environment in (({"config": str(file)}, {}), ({}, {"MASK_CONFIG": str(file)})):
        with pytest.raises(ConfigurationError) as caught:
            load_settings(flags, environment)
        assert str(file) in caught.value.message


def test_a_setting_that_does_not_exist_is_told_with_its_likely_name(file: Path) -> None:
    file.write_text("order_digit = 5")
    with pytest.raises(ConfigurationError) as caught:
        load_settings({"config": str(file)}, {})

    assert str(file) in caught.value.message
    assert "order_digit" in caught.value.message
    assert caught.value.hint == "did you mean order_digits?"
    assert "colour" in refusal(file, "[voximplant]\ncolour = 1")


@pytest.mark.parametrize(
    ("name", "text"),
    [
        ("order_digits", "3"),
        ("order_digits", "11"),
        ("order_digits", "five"),
        ("order_digits", "-5"),
        ("order_digits", "0006999"),
        ("order_digits", "5.0"),
        ("order_digits", "\u0665"),
        ("order_digits", "9" * 5_000),
        ("ttl", "0"),
        ("ttl", "ten days"),
        ("region", "USA"),
        ("key_prefix", "a b"),
        ("key_prefix", "\u043a\u043b\u044e\u0447:"),
        ("key_prefix", "x" * 101),
        ("voximplant.endpoint", "https://api.voximplant.com"),
        ("voximplant.endpoint", "host:port"),
        ("voximplant.endpoint", "user@host"),
        ("voximplant.timeout", "-1s"),
        ("retention.audit", "for ever"),
    ],
)
def test_a_bad_value_is_told_with_its_place(file: Path, name: str, text: str) -> None:
    table, _, last = name.rpartition(".")
    head = f"[{table}]\n" if table else ""
    setting = next(setting for setting in SETTINGS if setting.name == name)

    message = refusal(file, f'{head}{last} = "{text}"')
    assert name in message
    assert str(file) in message
    assert len(message) < 300
    assert setting.env in refusal(file, "", {setting.env: text})


@pytest.mark.parametrize(
    "text",
    ["order_digits = true", "order_digits = 5.0", "ttl = 2026-12-01", 'ttl = ["1d"]', "[[region]]"],
)
def test_a_value_of_the_wrong_kind_is_told(file: Path, text: str) -> None:
    assert "must be text or a whole number" in refusal(file, text)


@pytest.mark.parametrize("content", [b"order_digits = ", b"\xff\xfe", b"a = 1\na = 2", b"\x00"])
def test_a_file_that_is_not_toml_is_told(file: Path, content: bytes) -> None:
    file.write_bytes(content)
    with pytest.raises(ConfigurationError) as caught:
        load_settings({"config": str(file)}, {})
    assert "is not TOML" in caught.value.message


def test_a_folder_in_the_place_of_the_file_is_told(file: Path) -> None:
    file.mkdir()
    with pytest.raises(ConfigurationError):
        load_settings({"config": str(file)}, {})


@pytest.mark.skipif(not SECRETS, reason="no setting is a secret")
@pytest.mark.parametrize("name", SECRETS)
def test_a_secret_cannot_be_written_into_the_file(file: Path, name: str) -> None:
    table, _, last = name.rpartition(".")
    message = refusal(file, f'[{table}]\n{last} = "tell-nobody"')

    assert name in message
    assert "tell-nobody" not in message


def test_references_are_followed_and_secrets_not_shown(file: Path) -> None:
    kept = file.with_name("token")
    kept.write_text("tell-nobody-else\n")
    text = f'[plivo]\nauth_token = "env:OUR_TOKEN"\nextra_tokens = "file:{kept}"'
    values = load(file, text, {"OUR_TOKEN": "tell-nobody"}).values

    assert values["plivo.auth_token"].value == "tell-nobody"
    assert values["plivo.extra_tokens"].value == ("tell-nobody-else",)
    assert {values[name].shown for name in SECRETS if values[name].text} == {"••••"}


def test_a_reference_to_nothing_is_told_or_unset(file: Path) -> None:
    assert "cannot read" in refusal(file, '[plivo]\nauth_token = "file:/nonexistent/token"')
    settings = load(file, '[plivo]\nauth_token = "env:NO_SUCH_VARIABLE"')
    assert not settings["plivo.auth_token"]


def test_a_phone_number_among_the_settings_shows_redacted(file: Path) -> None:
    value = load(file, 'operator = "+1 415 555 0100"').values["operator"]

    assert value.value == PhoneNumber("+14155550100")
    assert "4155550100" not in str(value.shown)
    assert "5550100" not in refusal(file, 'operator = "+1 415 555 0100 0100 0100"')


@pytest.mark.parametrize(
    ("text", "path"),
    [("a/b.db", "a/b.db"), ("sqlite:///a/b.db", "a/b.db"), ("sqlite:////a.db", "/a.db")],
)
def test_the_database_may_be_a_path_or_a_sqlite_address(file: Path, text: str, path: str) -> None:
    assert load(file, "", {"MASK_DATABASE": text}).database == Path(path)


def test_the_home_of_the_database_is_understood(file: Path) -> None:
    settings = load(file, "", {"MASK_DATABASE": "~/mask.db"})

    assert settings.database == file.parent / "mask.db"
    assert load(file, "").database == default_database()


def test_a_database_of_another_kind_is_told_without_its_password(file: Path) -> None:
    settings = load(file, "", {"MASK_DATABASE": "postgres://me:secret@host/db"})
    with pytest.raises(ConfigurationError) as caught:
        _ = settings.database

    assert "postgres" in caught.value.message
    assert "secret" not in caught.value.message


def test_the_sample_file_says_the_defaults(file: Path) -> None:
    sample = sample_settings()
    assert load(file, sample)["order_digits"] == 5

    lines = [line.removeprefix("# ") for line in sample.splitlines()]
    names = {setting.name.rpartition(".")[2] for setting in SETTINGS}
    written = [
        line
        for line in lines
        if line.startswith("[") or (" = " in line and line.partition(" = ")[0] in names)
    ]
    tables = tomllib.loads("\n".join(written))
    for setting in SETTINGS:
        table, _, name = setting.name.rpartition(".")
        place = tables
        for part in table.split(".") if table else ():
            place = place[part]
        wanted = "env:NAME" if setting.secret else setting.default or ""
        assert str(place[name]) == wanted, setting.name
        assert setting.env in sample
    assert load(file, "\n".join(written)).values.keys() == {one.name for one in SETTINGS}


def test_no_two_settings_share_a_name_or_a_variable() -> None:
    assert len({setting.name for setting in SETTINGS}) == len(SETTINGS)
    assert len({setting.env for setting in SETTINGS}) == len(SETTINGS)


def test_a_file_that_others_can_read_is_noticed(file: Path) -> None:
    file.touch()
    for mode, noticed in ((0o600, False), (0o640, True), (0o604, True)):
        file.chmod(mode)
        assert readable_by_others(file) is noticed


@given(st.dictionaries(st.sampled_from([s.env for s in SETTINGS]), st.text(max_size=20)))
def test_no_environment_makes_the_program_fall_over(environment: dict[str, str]) -> None:
    environment["MASK_CONFIG"] = "/dev/null"
    try:
        load_settings({}, environment)
    except ConfigurationError as error:
        name = next(s.env for s in SETTINGS if f"from {s.env})" in error.message)
        assert environment[name]
