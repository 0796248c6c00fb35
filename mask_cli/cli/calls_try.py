"""Trying a call without a phone: route, simulate."""

from __future__ import annotations

from typing import TYPE_CHECKING, Annotated

import typer

from mask_cli.errors import ConfigurationError, ExitCode, UsageError
from mask_cli.redaction import redacted_message, redacted_value
from mask_cli.routing import Reason

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from mask_cli.cli.context import AppContext
    from mask_cli.records import Record
    from mask_cli.routing import Call, Route

Caller = Annotated[str, typer.Option(metavar="NUMBER", help="Who calls, as the carrier tells it.")]
Called = Annotated[str, typer.Option(metavar="NUMBER", help="The rented number that is called.")]

_EXAMPLE = "https://mask.example.com"


def route(
    ctx: typer.Context,
    caller: Caller,
    called: Called,
    digits: Annotated[str | None, typer.Option(help="What was typed when asked.")] = None,
    expect: Annotated[Reason | None, typer.Option(help="Exit 1 for any other reason.")] = None,
    xml: Annotated[bool, typer.Option("--xml", help="Print the document for Plivo.")] = False,
) -> None:
    """Show who would be dialled, or what said, and why; nothing is changed."""
    from mask_cli.routing import Call

    mask: AppContext = ctx.obj
    decided = _decided(mask, Call(caller, called, digits))
    if xml:
        _print_document(mask, decided)
    else:
        mask.output.record(_route_record(decided))
    if expect is not None and decided.reason is not expect:
        mask.output.tell(f"Expected {expect}, but it is {decided.reason}.")
        raise typer.Exit(ExitCode.DECLINED)


def simulate(
    ctx: typer.Context,
    caller: Caller,
    called: Called,
    press: Annotated[
        list[str] | None, typer.Option(metavar="KEYS", help="Keys at the next prompt; repeatable.")
    ] = None,
    via: Annotated[str, typer.Option(metavar="[plivo|voximplant]", help="Which platform.")] = (
        "plivo"
    ),
    callee: Annotated[str, typer.Option(help="answers, busy, no-answer, rejects, ...")] = "answers",
    url: Annotated[
        str | None, typer.Option(metavar="URL", help="A running mask serve's public address.")
    ] = None,
    scenario: Annotated[
        str | None,
        typer.Option(metavar="FILE|-", help="A rendered one, not the deployed."),
    ] = None,
    expect: Annotated[
        str | None, typer.Option(metavar="VERDICT|REASON", help="Exit 0 for it, 1 for any other.")
    ] = None,
) -> None:
    """Play a whole call: who hears what, who is dialled, what is shown; 0 when the parties spoke.

    Verdicts: connected, operator, not_connected, message, refused; via voximplant --expect takes a
    routing reason, too: one that the call met, on its way or at its end. Without --expect anything
    but connected exits 1. Without --url nothing is stored.
    """
    mask: AppContext = ctx.obj
    if via not in _PLAYERS:
        raise UsageError(f"--via takes {', '.join(_PLAYERS)}")
    outcome = _PLAYERS[via](mask, caller, called, press or (), callee, url, scenario, expect)
    _tell(mask, outcome)
    wanted = expect or "connected"
    met = outcome.get("reasons", ())
    if wanted != outcome["verdict"] and wanted not in met:
        by_way_of = f" by way of {', '.join(met)}" if met else ""
        mask.output.tell(f"Expected {wanted}, but it is {outcome['verdict']}{by_way_of}.")
        raise typer.Exit(ExitCode.DECLINED)


def _via_plivo(
    mask: AppContext,
    caller: str,
    called: str,
    press: Sequence[str],
    callee: str,
    url: str | None,
    scenario: str | None,
    expect: str | None,
) -> Record:
    """Play the call on the webhook; return its record."""
    if scenario is not None:
        raise UsageError("--scenario is for --via voximplant: Plivo asks the webhook")
    from mask_cli.web.serving import need_packages

    need_packages()
    from mask_cli.sandbox.plivo_scene import Behaviour, Press, Scene
    from mask_cli.web.simulate import VERDICTS, own_webhook, play
    from mask_cli.web.site import site_of

    _one_of("--callee", callee, [str(word) for word in Behaviour])
    _one_of("--expect", expect or "connected", VERDICTS)
    _checked_keys(press)
    mask.override(public_url=url)  # before any setting is read
    scene = Scene(
        caller,
        mask.number(called).digits,
        tuple(Press(keys) for keys in press),
        behaviour=Behaviour(callee),
        started_at=mask.now(),
    )
    operator = mask.settings["operator"]
    if url is not None:
        return play(scene, mask.settings["public_url"], _token(mask), operator)
    mask.check_store()
    site = site_of(mask.settings, "", tokens=())
    with own_webhook(site, mask.now) as (base, token):
        return play(scene, base, token, operator)


def _via_voximplant(
    mask: AppContext,
    caller: str,
    called: str,
    press: Sequence[str],
    callee: str,
    url: str | None,
    scenario: str | None,
    expect: str | None,
) -> Record:
    """Play the call with the scenario's deployed text, else with the one the settings make."""
    from mask_cli.cli.voximplant_played import scenario_of, storage_of
    from mask_cli.sandbox.simulated_call import VERDICTS, Situation, simulate_voximplant_call

    if url is not None:
        raise UsageError("--url is for --via plivo: Voximplant runs the scenario itself")
    _one_of("--expect", expect or "connected", [*VERDICTS, *map(str, Reason)])
    _checked_keys(press)
    situation = Situation(caller, mask.number(called), tuple(press), callee)
    text = scenario_of(mask, situation.called, scenario)
    operator = mask.settings["operator"]
    return simulate_voximplant_call(text, storage_of(mask, text), situation, mask.now(), operator)


_PLAYERS: dict[str, Callable[..., Record]] = {"plivo": _via_plivo, "voximplant": _via_voximplant}
"""What plays a call, by `--via`: takes the options of `simulate`, returns the outcome's record."""


def _decided(mask: AppContext, call: Call) -> Route:
    from mask_cli.store.calls import SqliteCalls
    from mask_cli.web.decision import decide
    from mask_cli.web.site import rules_of

    key = mask.store.digest_key()
    return decide(SqliteCalls(mask.store), call, mask.now(), rules_of(mask.settings), key=key)


def _route_record(route: Route) -> Record:
    return {
        "action": str(route.action),
        "reason": str(route.reason),
        "order": route.order,
        "role": str(route.role) if route.role else None,
        "callee": route.callee,
        "caller_id": route.caller_id,
        "phrase": route.phrase,
        "pause": route.pause,
    }


def _print_document(mask: AppContext, route: Route) -> None:
    """Print the XML; its numbers are hidden like everywhere."""
    from mask_cli.web.plivo_xml import Documents
    from mask_cli.web.site import site_of

    site = site_of(mask.settings, mask.settings["public_url"] or _EXAMPLE, tokens=())
    text = Documents(site).of(route)
    mask.output.text(mask.output.revealed(text, route.order) or redacted_message(text))


def _tell(mask: AppContext, outcome: Record) -> None:
    """Print the whole for programs, the transcript for people."""
    if mask.output.structured:
        mask.output.record(outcome)
    else:
        from mask_cli.cli.voximplant_played import report_line
        from mask_cli.sandbox.simulated_call import EVENT_FIELDS

        mask.output.records(EVENT_FIELDS, outcome["events"])
        if outcome.get("report"):
            mask.output.say(report_line(outcome["report"]))
    problem = f": {outcome['problem']}" if outcome["problem"] else ""
    mask.output.say(f"Verdict: {outcome['verdict']}{problem}")


def _token(mask: AppContext) -> str:
    token = mask.settings["plivo.auth_token"]
    if not token:
        raise ConfigurationError(
            "a webhook at --url answers signed requests only", hint="set PLIVO_AUTH_TOKEN"
        )
    return str(token)


def _checked_keys(press: Sequence[str]) -> None:
    for keys in press:
        if not keys or set(keys) - set("0123456789*#"):
            raise UsageError(f"--press takes keys of a telephone, not {redacted_value(keys)}")


def _one_of(option: str, word: str, words: Sequence[str]) -> None:
    if word not in words:
        raise UsageError(f"{option} takes {', '.join(words)}")
