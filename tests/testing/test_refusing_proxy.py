"""The proxy that lets nobody out."""

import http.client
from urllib.parse import urlsplit

import pytest

from pucs.testing.refusing_proxy import RefusingProxy


def test_whoever_wants_out_is_refused_and_named() -> None:
    """A tunnel to a host is refused at once, and the host is remembered."""
    with RefusingProxy() as proxy:
        connection = http.client.HTTPSConnection(
            urlsplit(proxy.environment["HTTPS_PROXY"]).netloc, timeout=10
        )
        connection.set_tunnel("models.example.com", 443)
        with pytest.raises(OSError, match="403"):
            connection.request("GET", "/")
        assert proxy.hosts == ("models.example.com:443",)


def test_this_machine_needs_no_proxy() -> None:
    """Scripted models and PUCS's server stay reachable."""
    with RefusingProxy() as proxy:
        assert proxy.environment["NO_PROXY"] == "127.0.0.1,localhost"
        assert proxy.hosts == ()
