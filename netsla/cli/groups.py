"""The commands of two words: `netsla maintenance ...` and `netsla agreement ...`; the rules are those of app.py."""
# ruff: noqa: PLC0415 - as in app.py

from __future__ import annotations

from typing import Annotated

import typer

from netsla.cli.options import (
    Agreement,
    AgreementKind,
    CompareFormat,
    Config,
    DocumentFormat,
    ListFormat,
    Only,
    Output,
    Socket,
    Unused,
)
from netsla.cli.places import DEFAULT_CONFIG, socket_path

maintenance = typer.Typer(help="Time that does not count: add, list, cancel.", no_args_is_help=True)


@maintenance.command("add")
def maintenance_add(
    agreement: Agreement,
    start: Annotated[
        str,
        typer.Option("--start", metavar="TIME", help="2026-10-05T02:00 (the agreement's zone), with offset, or now."),
    ],
    reason: Annotated[str, typer.Option("--reason", metavar="TEXT", help="Why.")],
    end: Annotated[str | None, typer.Option("--end", metavar="TIME", help="Like --start.")] = None,
    duration: Annotated[
        str | None, typer.Option("--duration", metavar="DURATION", help="Instead of --end: 2h.")
    ] = None,
    endpoint: Annotated[str | None, typer.Option("--endpoint", metavar="ENDPOINT", help="Only this endpoint.")] = None,
    cause: Annotated[
        str,
        typer.Option(
            "--cause",
            metavar="CAUSE",
            help="maintenance, force_majeure, customer_equipment, no_access, measurement_failure or "
            "waiting_for_customer.",
        ),
    ] = "maintenance",
    reference: Annotated[str, typer.Option("--reference", metavar="TEXT", help="Ticket or change number.")] = "",
    announced: Annotated[
        str | None, typer.Option("--announced", metavar="TIME", help="When the other party was told (else now).")
    ] = None,
    accepted_by: Annotated[
        str, typer.Option("--accepted-by", metavar="NAME", help="Who of the other party accepted it.")
    ] = "",
    name: Annotated[str | None, typer.Option("--id", metavar="ID", help="Its id (else one is made).")] = None,
    socket: Socket = None,
    config: Config = DEFAULT_CONFIG,
) -> None:
    """Record an exclusion. It is effective at once, also for what has passed."""
    from netsla.cli import maintenance as command

    request = {"agreement": agreement, "start": start, "end": end, "duration": duration, "endpoint": endpoint}
    request |= {"cause": cause, "reason": reason, "reference": reference, "announced": announced}
    request |= {"accepted_by": accepted_by, "id": name}
    raise typer.Exit(command.add(socket_path(socket, config), request))


@maintenance.command("list")
def maintenance_list(
    agreement: Only = None,
    form: Annotated[ListFormat, typer.Option("--format", help="How to print.")] = ListFormat.TABLE,
    socket: Socket = None,
    config: Config = DEFAULT_CONFIG,
) -> None:
    """Show what is planned and what was recorded."""
    from netsla.cli import maintenance as command

    raise typer.Exit(command.listing(socket_path(socket, config), config, agreement, form.value))


@maintenance.command("cancel")
def maintenance_cancel(
    name: Annotated[str, typer.Argument(metavar="ID", help="The exclusion's id.")],
    reason: Annotated[str, typer.Option("--reason", metavar="TEXT", help="Why it does not hold.")],
    socket: Socket = None,
    config: Config = DEFAULT_CONFIG,
) -> None:
    """Take an exclusion back. It stays in the record."""
    from netsla.cli import maintenance as command

    raise typer.Exit(command.cancel(socket_path(socket, config), name, reason))


agreement = typer.Typer(help="What is agreed: list, show, new, compare.", no_args_is_help=True)


@agreement.command("list")
def agreement_list(
    form: Annotated[ListFormat, typer.Option("--format", help="How to print.")] = ListFormat.TABLE,
    config: Config = DEFAULT_CONFIG,
) -> None:
    """List the agreements in force."""
    from netsla.cli import agreement as command

    raise typer.Exit(command.listing(config, form.value))


@agreement.command("show")
def agreement_show(
    name: Annotated[str, typer.Argument(metavar="AGREEMENT", help="Its id, its file, or an evidence pack.")],
    form: Annotated[DocumentFormat, typer.Option("--format", help="How to print.")] = DocumentFormat.MARKDOWN,
    output: Output = None,
    config: Config = DEFAULT_CONFIG,
) -> None:
    """Show an agreement as a document of twelve sections."""
    from netsla.cli import agreement as command

    raise typer.Exit(command.show(config, name, form.value, output))


@agreement.command("new")
def agreement_new(
    kind: Annotated[AgreementKind, typer.Option("--kind", help="Who promises what to whom.")] = AgreementKind.CUSTOMER,
    name: Annotated[str, typer.Option("--id", metavar="ID", help="The agreement's id.")] = "new-agreement",
    output: Output = None,
    config: Unused = DEFAULT_CONFIG,
) -> None:
    """Write a commented template."""
    from netsla.cli import agreement as command

    raise typer.Exit(command.new(kind.value, name, output))


@agreement.command("compare")
def agreement_compare(
    first: Annotated[str, typer.Argument(metavar="A", help="Its id, its file, or an evidence pack.")],
    second: Annotated[str, typer.Argument(metavar="B", help="The same.")],
    form: Annotated[CompareFormat, typer.Option("--format", help="How to print.")] = CompareFormat.TABLE,
    config: Config = DEFAULT_CONFIG,
) -> None:
    """Put two agreements side by side. Says per row which one promises more."""
    from netsla.cli import agreement as command

    raise typer.Exit(command.compare(config, first, second, form.value))
