"""Every failure that `mask` foresees, with the exit code a script sees."""

from __future__ import annotations

from enum import IntEnum
from typing import ClassVar


class ExitCode(IntEnum):
    """What a script can rely on; retry on TRY_LATER only."""

    DONE = 0, "done, also when there was nothing to do"
    DECLINED = 1, "declined at a prompt; a tried call went otherwise than expected"
    USAGE = 2, "wrong usage: unknown option, missing argument"
    PENDING = 3, "changes are pending (only with --exit-code)"
    REFUSED = 4, "refused for safety; the message names the flag that goes on"
    PARTLY = 5, "partly done; stdout and stderr tell which part"
    BAD_DATA = 65, "a value cannot be accepted"
    UNREADABLE = 66, "a file cannot be read or written"
    NOT_FOUND = 67, "no such order, number or application"
    PROVIDER = 69, "the provider refuses for good"
    BUG = 70, "a fault in mask itself"
    CONFLICT = 73, "it exists already with other values"
    STORAGE = 74, "the database: full, read-only, corrupt, newer, or not one"
    TRY_LATER = 75, "not now: provider unreachable or database busy; try again"
    DENIED = 77, "credentials or role not accepted"
    CONFIGURATION = 78, "settings or credentials file wrong"
    INTERRUPTED = 130, "stopped by Ctrl-C"
    OUTPUT_CLOSED = 141, "whoever read stdout stopped reading"
    TERMINATED = 143, "stopped by SIGTERM"

    meaning: str

    def __new__(cls, value: int, meaning: str) -> ExitCode:  # noqa: PYI034 (Self breaks IntEnum here)
        """Keep the meaning beside the number, so that the table is documented once."""
        member = int.__new__(cls, value)
        member._value_ = value
        member.meaning = meaning
        return member


class MaskError(Exception):
    """A failure with a message for a person and an exit code for a script.

    Messages never hold a whole phone number: values go through `redaction` first.
    """

    exit_code: ClassVar[ExitCode] = ExitCode.BUG

    def __init__(self, message: str, *, hint: str | None = None) -> None:
        super().__init__(message)
        self.message = message
        self.hint = hint


class Declined(MaskError):
    """The person at the terminal said no."""

    exit_code = ExitCode.DECLINED


class UsageError(MaskError):
    """The options do not go together."""

    exit_code = ExitCode.USAGE


class SafetyStop(MaskError):
    """Going on could do harm that nobody asked for."""

    exit_code = ExitCode.REFUSED


class PartlyDone(MaskError):
    """Some of it was done; the rest is named."""

    exit_code = ExitCode.PARTLY


class BadData(MaskError):
    """A value that cannot be accepted."""

    exit_code = ExitCode.BAD_DATA


class FileProblem(MaskError):
    """A file that cannot be read or written."""

    exit_code = ExitCode.UNREADABLE


class NotFound(MaskError):
    """What was named does not exist."""

    exit_code = ExitCode.NOT_FOUND


class Conflict(MaskError):
    """It exists already, with other values."""

    exit_code = ExitCode.CONFLICT


class StorageError(MaskError):
    """The database cannot be used."""

    exit_code = ExitCode.STORAGE


class TryLater(MaskError):
    """What failed may work in a while."""

    exit_code = ExitCode.TRY_LATER


class ConfigurationError(MaskError):
    """Settings, or a file they name, are wrong."""

    exit_code = ExitCode.CONFIGURATION


class ProviderUnavailable(TryLater):
    """The provider did not answer, or not as documented.

    `unsure` is True when the request may have been carried out all the same.
    """

    def __init__(self, message: str, *, unsure: bool, hint: str | None = None) -> None:
        super().__init__(message, hint=hint)
        self.unsure = unsure


class ProviderRefused(MaskError):
    """The provider said no, and will say so again; `code` is its own error code."""

    exit_code = ExitCode.PROVIDER

    def __init__(self, message: str, *, code: int | None = None, hint: str | None = None) -> None:
        super().__init__(message, hint=hint)
        self.code = code


class ProviderDenied(ProviderRefused):
    """The credentials, or the role behind them, are not accepted."""

    exit_code = ExitCode.DENIED
