"""The commands with their options, and where their errors end.

Rules: a command parses, calls one function and gives its exit code. What a command needs is imported
when it runs, so that `netsla --help` and the shell's completion are fast. Errors go to stderr with
their remedy; exit codes are promises (:class:`netsla.errors.Exit`).
Commands of two words stand in groups.py, what several commands take in options.py.
"""
# ruff: noqa: PLC0415 - see the rules above

from __future__ import annotations

import sys
from pathlib import Path
from typing import Annotated

import typer

from netsla.cli import groups
from netsla.cli.options import (
    Agreement,
    CheckFormat,
    Config,
    Evidence,
    ListFormat,
    Only,
    Output,
    Period,
    ProbeKind,
    ReportFormat,
    Settled,
    Socket,
    StatusFormat,
    Unused,
    Verified,
)
from netsla.cli.places import DEFAULT_CONFIG, socket_path
from netsla.errors import AgentError, ConfigError, Exit, HostError, NetslaError

_EXITS = (
    "Exit, unless a command says otherwise: 0 done, 2 what was asked or configured is wrong, 3 the agent does not "
    "answer, or the host forbids it."
)

app = typer.Typer(
    name="netsla",
    help="The agent that settles service level agreements.",
    rich_markup_mode=None,
    pretty_exceptions_enable=False,
    no_args_is_help=True,
    epilog=_EXITS,
    context_settings={"help_option_names": ["-h", "--help"]},
)
app.add_typer(groups.maintenance, name="maintenance")
app.add_typer(groups.agreement, name="agreement")


def main() -> None:
    """The console script: run a command, exit with its code."""
    try:
        app()
    except ConfigError as error:
        print(error, file=sys.stderr)
        raise SystemExit(Exit.CONFIG) from None
    except (HostError, AgentError) as error:
        print(f"netsla: {error}", file=sys.stderr)
        raise SystemExit(Exit.HOST) from None
    except NetslaError as error:
        print(f"netsla: {error}", file=sys.stderr)
        raise SystemExit(Exit.CONFIG) from None
    except KeyboardInterrupt:
        raise SystemExit(130) from None  # 128 + SIGINT, as shells have it


def _version(wanted: bool) -> None:
    if wanted:
        from importlib.metadata import version

        typer.echo(f"netsla {version('netsla')}")
        raise typer.Exit


@app.callback()
def netsla(
    version: Annotated[
        bool, typer.Option("--version", callback=_version, is_eager=True, help="Print the version.")
    ] = False,
) -> None:
    """The agent that settles service level agreements: exact figures, with evidence."""


@app.command()
def run(config: Config = DEFAULT_CONFIG) -> None:
    """Run the agent in the foreground until SIGTERM. Exit: 0 orderly end, 2 bad configuration, 3 the host says no."""
    from netsla.launch import launch

    launched = launch(config)  # what else an agent needs is imported while it probes
    from netsla import agent

    agent.run(launched)


@app.command()
def check(
    file: Annotated[Path | None, typer.Argument(metavar="FILE", help="The file to check (else as --config).")] = None,
    config: Config = DEFAULT_CONFIG,
    form: Annotated[CheckFormat, typer.Option("--format", help="How to print.")] = CheckFormat.TEXT,
) -> None:
    """Check the configuration as the agent would read it. Exit: 0 good (warnings on stderr), 2 bad, and where."""
    from netsla.cli import check as command

    raise typer.Exit(command.check(file or config, as_json=form is CheckFormat.JSON))


@app.command()
def status(
    what: Annotated[str | None, typer.Argument(metavar="AGREEMENT[/ENDPOINT]", help="Only this.")] = None,
    form: Annotated[StatusFormat, typer.Option("--format", help="How to print.")] = StatusFormat.TABLE,
    watch: Annotated[bool, typer.Option("--watch", help="Again every two seconds, until interrupted.")] = False,
    breached: Annotated[bool, typer.Option("--breached", help="Only endpoints with a breached objective.")] = False,
    socket: Socket = None,
    config: Config = DEFAULT_CONFIG,
) -> None:
    """Show where every agreement stands. Exit: 0 all met, 1 something breached, 3 no agent, 4 something unknown."""
    from netsla.cli import status as command

    question = command.Question(socket_path(socket, config), what, form.value, breached=breached)
    raise typer.Exit(command.watch(question) if watch else command.status(question))


@app.command()
def report(
    agreement: Settled = None,
    period: Period = None,
    form: Annotated[ReportFormat, typer.Option("--format", help="How to print.")] = ReportFormat.TEXT,
    output: Output = None,
    evidence: Evidence = None,
    config: Config = DEFAULT_CONFIG,
) -> None:
    """Settle a period. Exit: 0 met, 1 breached, 4 not enough data."""
    from netsla.cli import report as command
    from netsla.cli.settling import Where

    raise typer.Exit(command.report(Where(config, agreement, evidence, period), form.value, output))


@app.command()
def export(
    agreement: Agreement,
    output: Annotated[Path, typer.Option("-o", "--output", metavar="PACK/", help="The new folder.")],
    period: Period = None,
    config: Config = DEFAULT_CONFIG,
) -> None:
    """Write the evidence pack of a period. From it alone either party can settle it again."""
    from netsla.cli import export as command
    from netsla.cli.settling import Where

    raise typer.Exit(command.export(Where(config, agreement, None, period), output))


@app.command()
def verify(
    agreement: Verified = None,
    period: Period = None,
    evidence: Evidence = None,
    config: Config = DEFAULT_CONFIG,
) -> None:
    """Recompute the hash chain and the figures. Exit: 0 intact, 1 broken, and where."""
    from netsla.cli import verify as command
    from netsla.cli.settling import Where

    raise typer.Exit(command.verify(Where(config, agreement, evidence, period)))


@app.command()
def breaches(
    agreement: Only = None,
    since: Annotated[str, typer.Option("--since", metavar="DURATION", help="How far back, as 12h or 7d.")] = "7d",
    only_open: Annotated[bool, typer.Option("--open", help="Only those that still stand.")] = False,
    form: Annotated[ListFormat, typer.Option("--format", help="How to print.")] = ListFormat.TABLE,
    ack: Annotated[
        str | None, typer.Option("--ack", metavar="AGREEMENT/ENDPOINT/OBJECTIVE", help="Say that you see to it.")
    ] = None,
    why: Annotated[str, typer.Option("--why", metavar="TEXT", help="With --ack: what is being done.")] = "",
    mute: Annotated[
        str | None, typer.Option("--mute", metavar="DURATION", help="With --ack: tell nothing more of it for so long.")
    ] = None,
    socket: Socket = None,
    config: Config = DEFAULT_CONFIG,
) -> None:
    """Show breaches with onset and evidence; acknowledge one. Exit: 0, whether there are any or not."""
    from netsla.cli import breaches as command
    from netsla.cli.places import state_dir

    where = socket_path(socket, config)
    if ack is not None:
        raise typer.Exit(command.acknowledge(where, ack, why, mute))
    if why or mute is not None:
        raise NetslaError(f"{'--why' if why else '--mute'} says of no breach", "add --ack AGREEMENT/ENDPOINT/OBJECTIVE")
    wanted = command.Wanted(since, only_open, agreement, form.value)
    raise typer.Exit(command.breaches(where, state_dir(config), wanted, config))


@app.command()
def probe(
    address: Annotated[str, typer.Argument(metavar="ADDRESS", help="A name or a numeric address.")],
    kind: Annotated[ProbeKind, typer.Option("--type", help="How to ask.")] = ProbeKind.ICMP,
    port: Annotated[
        int | None, typer.Option("--port", metavar="PORT", min=1, max=65535, help="The port, for tcp.")
    ] = None,
    count: Annotated[int, typer.Option("-c", "--count", metavar="N", min=1, max=1000, help="How many probes.")] = 5,
    config: Unused = DEFAULT_CONFIG,
) -> None:
    """Probe one address and explain every step. Exit: 0 answered, 1 not."""
    from netsla.cli import probe as command

    raise typer.Exit(command.probe(address, kind.value, port, count))


@app.command()
def doctor(config: Config = DEFAULT_CONFIG) -> None:
    """Say what limits this host, and how to lift it. Exit: 0 nothing does, 1 something does."""
    from netsla.cli import doctor as command

    raise typer.Exit(command.doctor(config))


@app.command()
def reload(socket: Socket = None, config: Config = DEFAULT_CONFIG) -> None:
    """Let the running agent read its configuration anew. Exit: 0 in force, 2 refused: the old one goes on."""
    from netsla.cli import status as command

    raise typer.Exit(command.reload(socket_path(socket, config)))


@app.command()
def rules(
    alerts: Annotated[bool, typer.Option("--alerts", help="Alerting rules as well.")] = False,
    output: Output = None,
    config: Config = DEFAULT_CONFIG,
) -> None:
    """Print Prometheus rules for the agreements in force."""
    from netsla.cli import rules as command

    raise typer.Exit(command.rules(config, alerts=alerts, output=output))


@app.command()
def schema(config: Unused = DEFAULT_CONFIG) -> None:
    """Print the JSON Schema of the configuration."""
    from netsla.cli import check as command

    raise typer.Exit(command.schema())


@app.command()
def init(
    file: Annotated[Path | None, typer.Argument(metavar="FILE", help="Where to write it (else as --config).")] = None,
    force: Annotated[bool, typer.Option("--force", help="Overwrite what is there.")] = False,
    config: Config = DEFAULT_CONFIG,
) -> None:
    """Write a first configuration that runs as it is."""
    from netsla.cli import init as command

    raise typer.Exit(command.init(file or config, force=force))
