"""What came of the calls: calls list, show, stats, export."""

from __future__ import annotations

from dataclasses import asdict
from typing import TYPE_CHECKING, Annotated

import typer

from mask_cli.call_report import CALL_FIELDS, STATS_FIELDS, call_record, export_calls, statistics
from mask_cli.cli.boundary import Commands
from mask_cli.cli.options import DryRun, Limit, WrittenForm, duration, moment, written_form
from mask_cli.errors import NotFound, UsageError
from mask_cli.models import DAY
from mask_cli.redaction import redacted_message, redacted_value
from mask_cli.store.calls import SqliteCalls
from mask_cli.store.calls_base import CallOutcome, CallSelection

if TYPE_CHECKING:
    from mask_cli.cli.context import AppContext

app = Commands(help="What came of the calls; no phone numbers are kept of them.")

Order = Annotated[str | None, typer.Option(metavar="ORDER", help="Only of this order.")]
OfOutcome = Annotated[CallOutcome | None, typer.Option(help="Only with this outcome.")]
OfReason = Annotated[str | None, typer.Option(metavar="REASON", help="Only for this reason.")]
Since = Annotated[int | None, moment("--since", "Only that began then or later.")]
Until = Annotated[int | None, moment("--until", "Only that began earlier.")]


@app.command("list")
def list_(
    ctx: typer.Context,
    order: Order = None,
    outcome: OfOutcome = None,
    reason: OfReason = None,
    since: Since = None,
    until: Until = None,
    limit: Limit = None,
) -> None:
    """List calls, newest first."""
    mask: AppContext = ctx.obj
    selection = CallSelection(order, outcome, reason, since, until, limit)
    calls = SqliteCalls(mask.store).listed(selection)
    mask.output.records(CALL_FIELDS, (call_record(call) for call in calls))


@app.command()
def show(
    ctx: typer.Context, call_id: Annotated[str, typer.Argument(metavar="CALL", help="Its id.")]
) -> None:
    """Show one call."""
    mask: AppContext = ctx.obj
    call = SqliteCalls(mask.store).get(call_id)
    if call is None:
        raise NotFound(f"there is no call {redacted_value(call_id)}", hint="mask calls list")
    mask.output.record(call_record(call))


@app.command()
def stats(ctx: typer.Context, since: Since = None, until: Until = None) -> None:
    """Count calls by day, outcome and reason."""
    mask: AppContext = ctx.obj
    selection = CallSelection(since=since, until=until)
    rows = statistics(SqliteCalls(mask.store), selection, bars=mask.output.draws)
    fields = (*STATS_FIELDS, "bar") if mask.output.draws else STATS_FIELDS
    mask.output.records(fields, rows)


@app.command()
def export(
    ctx: typer.Context,
    file: Annotated[str, typer.Argument(metavar="FILE", help="File to write, or - for stdout.")],
    kind: WrittenForm = None,
) -> None:
    """Write all calls to FILE, oldest last."""
    from mask_cli.transfer import private_file

    mask: AppContext = ctx.obj
    form = written_form(kind, file)
    calls = SqliteCalls(mask.store).listed(CallSelection())
    if file == "-":
        export_calls(calls, form, mask.output.raw)
        return
    with private_file(mask.outside_store(file)) as write:
        count = export_calls(calls, form, write)
    mask.output.counts({"exported": count, "file": redacted_message(file)})


@app.command("import")
def import_(
    ctx: typer.Context,
    source: Annotated[
        str, typer.Option("--from", metavar="[voximplant]", help="Whose history is read.")
    ] = "voximplant",
    since: Annotated[int, duration("--since", "How far back, as in 1d.")] = DAY,
    dry_run: DryRun = False,
) -> None:
    """Add calls that were not reported, from the provider's history; no number is stored."""
    from datetime import UTC, datetime

    from mask_cli.call_import import import_sessions
    from mask_cli.cli.voximplant_shown import application_id

    mask: AppContext = ctx.obj
    if source != "voximplant":
        raise UsageError("--from takes voximplant; Plivo's webhook tells of every call")
    until = datetime.fromtimestamp(mask.now() + 60, UTC)
    start = datetime.fromtimestamp(mask.now() - since, UTC)
    sessions = mask.voximplant.sessions(start, until, application_id(mask, None))
    counts = import_sessions(sessions, SqliteCalls(mask.store), dry_run=dry_run)
    mask.output.counts(asdict(counts))
