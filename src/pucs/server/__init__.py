"""The server (extra ``server``): hooks over HTTP and MCP, on this machine only, for whoever can prove who they are.

It holds no truth of its own: every call is a verb on the store, and everything works without it, more slowly.
"""
