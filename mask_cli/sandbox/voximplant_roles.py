"""Which role of a service account may call which method of the emulated Management API.

What the documentation says is here; a method without a line may be called by any role.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from mask_cli.sandbox.voximplant_methods import ApiError

if TYPE_CHECKING:
    from mask_cli.sandbox.voximplant_methods import Switches

_DEVELOPERS = frozenset({"Owner", "Admin", "Developer"})
_BUYERS = frozenset({"Owner", "Admin", "Accountant"})
_BASIC = frozenset({"GetAccountInfo"})
_MAY_CALL = {
    **dict.fromkeys(
        "SetKeyValueItem DelKeyValueItem GetKeyValueItem GetKeyValueItems GetKeyValueKeys"
        " AddApplication SetApplicationInfo DelApplication AddScenario SetScenarioInfo"
        " GetScenarios DelScenario BindScenario ReorderScenarios AddRule SetRuleInfo DelRule"
        " ReorderRules BindPhoneNumberToApplication AddSecret GetSecrets GetSecretValue"
        " SetSecretInfo DelSecret".split(),
        _DEVELOPERS,
    ),
    **dict.fromkeys("GetNewPhoneNumbers AttachPhoneNumber DeactivatePhoneNumber".split(), _BUYERS),
    "GetPhoneNumberRegions": _BUYERS | {"Payer"},
    "GetRules": _DEVELOPERS | {"Supervisor", "Call list manager", "Support"},
    "GetCallHistory": _DEVELOPERS | {"Supervisor", "Support"},
}


def check_role(command: str, switches: Switches) -> None:
    """Refuse a method that the role in force may not call; without a role, nearly all."""
    may = _MAY_CALL.get(command)
    denied = switches.role not in may if may else switches.role == "none"
    if denied and command not in _BASIC:
        code = switches.role_code
        raise ApiError(code, f"The role {switches.role} may not call {command}.")
