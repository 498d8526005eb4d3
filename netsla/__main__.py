"""`python -m netsla` is `netsla`."""

from netsla.cli.app import main

main()
