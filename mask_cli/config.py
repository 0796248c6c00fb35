"""Settings: flag, then environment, then file, then default; the one reader of `os.environ`."""

from __future__ import annotations

import os
from dataclasses import dataclass, field
from difflib import get_close_matches
from pathlib import Path
from typing import TYPE_CHECKING, Any

from mask_cli.errors import BadData, ConfigurationError
from mask_cli.models import PhoneNumber
from mask_cli.settings import SETTINGS, Setting

if TYPE_CHECKING:
    from collections.abc import Mapping

CONFIG_VARIABLE = "MASK_CONFIG"
_OURS = ("MASK_", "VOXIMPLANT_", "PLIVO_")
_WORLD_READABLE = 0o077


_BY_NAME = {setting.name: setting for setting in SETTINGS}


@dataclass(frozen=True, slots=True)
class Value:
    """A setting's value, as written and as read, and where it came from."""

    setting: Setting
    text: str | None
    value: Any
    source: str

    @property
    def shown(self) -> str | PhoneNumber | None:
        """What may be printed: secrets only that they are there, numbers as such."""
        if isinstance(self.value, PhoneNumber):
            return self.value
        return "••••" if self.setting.secret and self.text else self.text


@dataclass(frozen=True, slots=True)
class Settings:
    """All settings of one run; `config[name]` is the read value."""

    values: dict[str, Value]
    file: Path
    environment: Mapping[str, str] = field(repr=False)

    def __getitem__(self, name: str) -> Any:  # noqa: ANN401 (each setting has its own type)
        return self.values[name].value

    @property
    def database(self) -> Path:
        """The SQLite file."""
        text = self["database"]
        if not text:
            return default_database()
        if "://" in text:
            if not text.startswith("sqlite:///"):
                scheme = text.split("://")[0]
                raise ConfigurationError(
                    f"databases of the kind {scheme!r} are not supported",
                    hint="give the path of a SQLite file",
                )
            text = text.removeprefix("sqlite:///")
        return Path(text).expanduser()


def colors_wanted() -> bool:
    """Tell whether the environment lets us use colours: https://no-color.org."""
    return not os.environ.get("NO_COLOR")


def tls_authorities() -> str | None:
    """Return the file or folder of TLS authorities to trust; None where the system names none."""
    import ssl

    named = os.environ.get("REQUESTS_CA_BUNDLE") or os.environ.get("SSL_CERT_FILE")
    system = ssl.get_default_verify_paths()
    return named or system.cafile or system.capath


def environment_of_others() -> dict[str, str]:
    """Return this process's environment without all that is ours."""
    return {name: value for name, value in os.environ.items() if not name.startswith(_OURS)}


def share_with_children(name: str, value: str) -> None:
    """Set a variable for the processes that this one starts."""
    os.environ[name] = value


def default_config_file() -> Path:
    """Return the settings file of this user."""
    import platformdirs

    return Path(platformdirs.user_config_dir("mask", appauthor=False)) / "config.toml"


def default_database() -> Path:
    """Return the database of this user."""
    import platformdirs

    return Path(platformdirs.user_data_dir("mask", appauthor=False)) / "mask.db"


def load_settings(
    flags: Mapping[str, str] | None = None, environment: Mapping[str, str] | None = None
) -> Settings:
    """Return the settings in force, or raise ConfigurationError naming the place.

    `flags` holds setting names, and `config` for the settings file.
    """
    flags = flags or {}
    environment = os.environ if environment is None else environment
    file = settings_path(flags.get("config"), environment)
    must_exist = bool(flags.get("config") or environment.get(CONFIG_VARIABLE))
    written = _from_file(file, environment, must_exist=must_exist)
    values = {}
    for setting in SETTINGS:
        text, source = _found(setting, flags, environment, written, file)
        values[setting.name] = Value(setting, text, _read(setting, text, source), source)
    return Settings(values, file, environment)


def settings_path(flag: str | None, environment: Mapping[str, str] | None = None) -> Path:
    """Return the settings file that a flag, the environment or the default names."""
    environment = os.environ if environment is None else environment
    named = flag or environment.get(CONFIG_VARIABLE)
    return Path(named).expanduser() if named else default_config_file()


def _found(
    setting: Setting,
    flags: Mapping[str, str],
    environment: Mapping[str, str],
    written: Mapping[str, str],
    file: Path,
) -> tuple[str | None, str]:
    """Return the text of a setting and its source, from the strongest place that has it."""
    if setting.name in flags:
        return flags[setting.name], f"--{setting.name.replace('_', '-')}"
    if setting.env in environment and (environment[setting.env] or setting.name == "key_prefix"):
        return environment[setting.env], setting.env
    if written.get(setting.name) or (setting.name == "key_prefix" and setting.name in written):
        return written[setting.name], str(file)
    return setting.default, "default"


def _read(setting: Setting, text: str | None, source: str) -> Any:  # noqa: ANN401 (see Settings)
    if text is None:
        return None
    try:
        return setting.read(text)
    except BadData as error:
        raise ConfigurationError(
            f"setting {setting.name} (from {source}): {error.message}", hint=error.hint
        ) from error


def _from_file(file: Path, environment: Mapping[str, str], *, must_exist: bool) -> dict[str, str]:
    """Return the file's settings as text, or raise ConfigurationError."""
    try:
        content = file.read_bytes()
    except FileNotFoundError:
        if must_exist:
            raise ConfigurationError(
                f"there is no settings file {file}", hint=f"mask --config {file} config init"
            ) from None
        return {}
    except OSError as error:
        raise ConfigurationError(f"cannot read {file}: {error.strerror}") from error
    return _checked(_flat(_parsed(content, file)), file, environment)


def _parsed(content: bytes, file: Path) -> dict[str, Any]:
    import tomllib

    try:
        return tomllib.loads(content.decode())
    except (UnicodeDecodeError, tomllib.TOMLDecodeError) as error:
        raise ConfigurationError(f"{file} is not TOML: {error}") from error


def _flat(tables: Mapping[str, Any], above: str = "") -> dict[str, Any]:
    flat = {}
    for name, value in tables.items():
        if isinstance(value, dict):
            flat.update(_flat(value, f"{above}{name}."))
        else:
            flat[above + name] = value
    return flat


def _checked(flat: Mapping[str, Any], file: Path, environment: Mapping[str, str]) -> dict[str, str]:
    texts = {}
    for name, value in flat.items():
        setting = _BY_NAME.get(name)
        if setting is None:
            close = get_close_matches(name, _BY_NAME, 1)
            hint = f"did you mean {close[0]}?" if close else "mask config show lists them"
            raise ConfigurationError(f"{file}: there is no setting {name!r}", hint=hint)
        if not isinstance(value, str | int) or isinstance(value, bool):
            raise ConfigurationError(f"{file}: {name} must be text or a whole number")
        texts[name] = _resolved(setting, str(value), file, environment)
    return texts


def _resolved(setting: Setting, text: str, file: Path, environment: Mapping[str, str]) -> str:
    """Follow `env:NAME` and `file:PATH`; a secret may be written in no other way."""
    if text.startswith("env:"):
        return environment.get(text.removeprefix("env:"), "")
    if text.startswith("file:"):
        path = Path(text.removeprefix("file:")).expanduser()
        try:
            return path.read_text().strip()
        except (OSError, UnicodeDecodeError) as error:
            raise ConfigurationError(f"{file}: {setting.name}: cannot read {path}") from error
    if setting.secret:
        raise ConfigurationError(
            f"{file}: {setting.name} is a secret and must be a reference",
            hint=f'{setting.name} = "env:NAME" or "file:PATH"',
        )
    return text


def readable_by_others(file: Path) -> bool:
    """Tell whether somebody else on this computer may read the file."""
    return bool(file.stat().st_mode & _WORLD_READABLE)
