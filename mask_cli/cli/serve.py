"""Answer Plivo: serve."""

from __future__ import annotations

from typing import TYPE_CHECKING, Annotated

import typer

if TYPE_CHECKING:
    from mask_cli.cli.context import AppContext


def serve(
    ctx: typer.Context,
    host: Annotated[str, typer.Option(metavar="ADDRESS", help="Where to listen.")] = "127.0.0.1",
    port: Annotated[int, typer.Option(min=0, max=65535, help="0 takes a free one.")] = 8000,
    public_url: Annotated[
        str | None,
        typer.Option(metavar="URL", help="Address that Plivo calls (setting public_url)."),
    ] = None,
    workers: Annotated[int, typer.Option(min=1, max=64, metavar="K", help="Processes.")] = 1,
    insecure: Annotated[
        bool, typer.Option("--insecure", help="Check no signatures; on loopback only.")
    ] = False,
) -> None:
    """Answer Plivo's webhook, take Voximplant's call reports, until SIGTERM or Ctrl-C.

    Calls in flight are still answered.
    """
    from mask_cli.cli.context import utc_now
    from mask_cli.web.serving import checked_site, need_packages

    mask: AppContext = ctx.obj
    mask.override(public_url=public_url)
    need_packages()
    from mask_cli.web.server import Factory, listening, serve

    checked_site(mask.settings, host, port, insecure=insecure)
    with listening(host, port) as opened:
        site = checked_site(mask.settings, host, opened.getsockname()[1], insecure=insecure)
        mask.check_store()
        mask.output.say(f"Answering {site.public_url}/plivo/answer; stop with Ctrl-C.")
        serve(Factory(site, utc_now), opened, workers)
