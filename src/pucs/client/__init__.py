"""The programmatic door: ``from pucs import PUCSClient`` (000 §9).

In-process it calls the same verbs as the command line, on the same store. With the URL of a server as its store it asks
that server, with the same surface and the same records.
"""

from pucs.client.embedded import PUCSClient

__all__ = ["PUCSClient"]


def _over_http() -> type[PUCSClient]:
    from pucs.client.http import HTTPClient  # noqa: PLC0415 - most clients are in-process

    return HTTPClient


PUCSClient.over_http = _over_http
