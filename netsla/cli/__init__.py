"""The command line: parse, call one function, print."""

from netsla.cli.app import main

__all__ = ["main"]
