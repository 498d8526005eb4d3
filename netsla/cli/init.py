"""`netsla init`: a first configuration that runs as it is."""

from __future__ import annotations

from pathlib import Path

from netsla.cli.output import say
from netsla.errors import Exit, HostError, NetslaError

STARTER = Path(__file__).with_name("starter.yaml")


def init(path: Path, *, force: bool) -> int:
    """Write it, folders included; never over something unless forced."""
    if path.exists() and not force:
        raise NetslaError(f"{path} is there already", "name another file, or use --force to overwrite it")
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(STARTER.read_text("utf-8"), "utf-8")
    except OSError as error:
        raise HostError(f"cannot write {path}: {error.strerror}", "name a file this user may write") from error
    say(f"wrote {path}; next: netsla check {path}, then netsla run --config {path}")
    return Exit.OK
