"""netsla: the agent that settles service level agreements."""

__version__ = "0.1.0"
