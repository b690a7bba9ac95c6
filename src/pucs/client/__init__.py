"""The programmatic door: ``from pucs import PUCSClient`` (000 §9).

The in-process client calls the same verbs as the command line, on the same store; an HTTP client with the same surface
follows with the server.
"""

from pucs.client.embedded import PUCSClient

__all__ = ["PUCSClient"]
