"""What is provisioned in a Voximplant account: scenarios, rules, numbers, secrets; its history."""

from __future__ import annotations

from typing import TYPE_CHECKING

from mask_cli.errors import (
    Conflict,
    NotFound,
    ProviderRefused,
)
from mask_cli.providers.voximplant_calls import called, odd, pages, refuse_everything, result_of
from mask_cli.providers.voximplant_numbers import VoximplantNumbers, unless_gone
from mask_cli.providers.voximplant_records import (
    RemoteRule,
    RemoteScenario,
    RemoteSession,
    checked_name,
    read_rule,
    read_scenario,
    read_session,
)
from mask_cli.providers.voximplant_replies import WRONG_APPLICATION
from mask_cli.redaction import redacted_value

if TYPE_CHECKING:
    from collections.abc import Iterator
    from datetime import datetime

    from mask_cli.providers.base import RemoteApplication

LONGEST_SCENARIO_NAME, LONGEST_RULE_NAME = 29, 99
_PAGE = 100
_SESSIONS_PAGE = 1000
_FARTHEST = 10_000
_NAME_TAKEN = 133
_RULE_TAKEN = 175
_NO_SECRET = frozenset({496, 501, 485})


class VoximplantAccount(VoximplantNumbers):
    """The verbs of provisioning, each safe to repeat.

    Raises what KeyValueStore raises, NotFound (67) for what does not exist, Conflict (73) for
    a name that is taken.
    """

    # Applications

    def find_application(self, name: str) -> RemoteApplication | None:
        """Return the application of this name or id; names are compared by their first label."""
        try:
            return self.account.resolve_application(name)
        except NotFound:
            return None

    def delete_application(self, application_id: str) -> bool:
        """Delete an application; False when there is none such."""
        refuse_everything(application_id, "application")
        try:
            result_of(self._client.del_application, application_id=application_id)
        except ProviderRefused as error:
            if error.code in WRONG_APPLICATION:
                return False
            raise
        return True

    # Scenarios

    def find_scenario(self, name: str, application_id: str) -> RemoteScenario | None:
        """Return the application's scenario of exactly this name, with its text."""
        refuse_everything(name, "scenario")

        def fetch(count: int, offset: int) -> object:
            return result_of(
                self._client.get_scenarios,
                scenario_name=name,
                application_id=application_id,
                count=count,
                offset=offset,
            )

        # The platform's filter finds parts of names, too.
        listed = pages(fetch, read_scenario, lambda one: one.scenario_id, _PAGE)
        found = next((one for one in listed if one.name == name), None)
        return found and self.scenario(found.scenario_id)

    def scenario(self, scenario_id: str) -> RemoteScenario:
        """Return a scenario with its text."""
        reply = result_of(self._client.get_scenarios, scenario_id=scenario_id, with_script=True)
        if not isinstance(reply, list) or len(reply) != 1:
            raise odd("scenario")
        found = read_scenario(reply[0])
        if found.scenario_id != scenario_id or found.text is None:
            raise odd("scenario")
        return found

    def add_scenario(self, name: str, text: str, application_id: str) -> str:
        """Create a scenario in an application; return its id. A taken name is a Conflict."""
        refuse_everything(name, "scenario")
        try:
            reply = called(
                self._client.add_scenario,
                scenario_name=checked_name(name, LONGEST_SCENARIO_NAME, "scenario"),
                scenario_script=text,
                application_id=application_id,
            )
        except ProviderRefused as error:
            if error.code == _NAME_TAKEN:
                raise Conflict(
                    f"a scenario {redacted_value(name)} exists elsewhere in this account",
                    hint=f"{error.hint}; choose another with --scenario",
                ) from error
            raise
        return _made(reply, "scenario_id")

    def set_scenario(self, scenario_id: str, text: str) -> None:
        """Give a scenario another text; what it is bound to stays."""
        result_of(self._client.set_scenario_info, scenario_id=scenario_id, scenario_script=text)

    # Rules

    def rules(self, application_id: str) -> list[RemoteRule]:
        """Return the rules of an application in their order, each with its scenarios."""

        def fetch(count: int, offset: int) -> object:
            return result_of(
                self._client.get_rules,
                application_id=application_id,
                with_scenarios=True,
                count=count,
                offset=offset,
            )

        return list(pages(fetch, read_rule, lambda one: one.rule_id, _PAGE))

    def add_rule(self, application_id: str, name: str, pattern: str, scenario_id: str) -> str:
        """Create a rule that runs a scenario from its first moment on; return its id."""
        refuse_everything(name, "rule")
        try:
            reply = called(
                self._client.add_rule,
                rule_name=checked_name(name, LONGEST_RULE_NAME, "rule"),
                rule_pattern=pattern,
                application_id=application_id,
                scenario_id=scenario_id,
            )
        except ProviderRefused as error:
            if error.code == _RULE_TAKEN:
                raise Conflict(
                    f"a rule {redacted_value(name)} exists in the application"
                ) from error
            raise
        return _made(reply, "rule_id")

    def bind_scenario(self, scenario_id: str, rule_id: str) -> None:
        """Let a rule run a scenario; what it runs already stays."""
        result_of(self._client.bind_scenario, scenario_id=scenario_id, rule_id=rule_id, bind=True)

    def delete_rule(self, rule_id: str) -> bool:
        """Delete a rule; False when there is none such."""
        refuse_everything(rule_id, "rule")
        return unless_gone(lambda: result_of(self._client.del_rule, rule_id=rule_id))

    # Secrets

    def secret(self, application_id: str, name: str) -> str | None:
        """Return a secret's value, None when there is no such secret."""
        try:
            reply = result_of(
                self._client.get_secret_value, application_id=application_id, secret_name=name
            )
        except ProviderRefused as error:
            if error.code not in _NO_SECRET:
                raise
            return None
        value = reply.get("secret_value") if isinstance(reply, dict) else None
        if not isinstance(value, str):
            raise odd("secret")
        return value

    def add_secret(self, application_id: str, name: str, value: str) -> None:
        """Store a new secret."""
        called(
            self._client.add_secret,
            application_id=application_id,
            secret_name=name,
            secret_value=value,
        )

    def set_secret(self, application_id: str, name: str, value: str) -> None:
        """Give a secret another value."""
        result_of(
            self._client.set_secret_info,
            application_id=application_id,
            secret_name=name,
            secret_value=value,
        )

    # History

    def sessions(
        self, since: datetime, until: datetime, application_id: str
    ) -> Iterator[RemoteSession]:
        """Yield the finished calls of an application, without the numbers in them."""

        def fetch(count: int, offset: int) -> object:
            if offset > _FARTHEST:
                raise ProviderRefused(
                    f"Voximplant lists {_FARTHEST} calls at most",
                    hint="ask for a shorter time with --since",
                )
            return result_of(
                self._client.get_call_history,
                from_date=since,
                to_date=until,
                application_id=application_id,
                with_calls=True,
                count=count,
                offset=offset,
            )

        yield from pages(fetch, read_session, lambda one: one.session_id, _SESSIONS_PAGE)


def _made(reply: object, name: str) -> str:
    number = reply.get(name) if isinstance(reply, dict) else None
    if not isinstance(number, int):
        raise odd(name, unsure=True)
    return str(number)
