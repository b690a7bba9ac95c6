"""Who is named as author of what agents do.

Where the user's git knows the user, that stays author and committer: the user started the agents and answers for
their work, and the trailers name the agent. Where it knows nobody (containers, CI), the agent's id stands in, because
git refuses to commit for nobody.
"""

from __future__ import annotations

import re
from functools import lru_cache

from pucs.git.run import Git

MAIL_DOMAIN = "pucs.invalid"
"""Domain of agents' addresses; ``.invalid`` can never be delivered to (RFC 2606)."""
NAME_CHARS_MAX = 100
"""Longest name in a commit; more would only make logs unreadable."""
REPOSITORIES_MAX = 32
"""How many repositories one process remembers the answer for; it talks to one, tests to a few."""
_NOT_IN_NAME = re.compile(r"[\x00-\x1f\x7f<>\udc80-\udcff]+")
_NOT_IN_MAIL = re.compile(r"[^A-Za-z0-9._-]+")


def identity(directory: str, agent: str) -> dict[str, str]:
    """Return the environment under which git commits for an agent; empty where the user is known to git."""
    if _user_known(directory):
        return {}
    name = _NOT_IN_NAME.sub(" ", agent).strip(" .,:;\"'")[:NAME_CHARS_MAX] or "pucs"
    mail = f"{_NOT_IN_MAIL.sub('-', agent).strip('.-')[:NAME_CHARS_MAX] or 'pucs'}@{MAIL_DOMAIN}"
    return {
        "GIT_AUTHOR_NAME": name,
        "GIT_AUTHOR_EMAIL": mail,
        "GIT_COMMITTER_NAME": name,
        "GIT_COMMITTER_EMAIL": mail,
    }


@lru_cache(maxsize=REPOSITORIES_MAX)
def _user_known(directory: str) -> bool:
    # useConfigOnly keeps git from inventing user@host.
    git = Git(directory=directory)
    return all(
        git("-c", "user.useConfigOnly=true", "var", name, ok=(0, 1, 128)).status == 0
        for name in ("GIT_AUTHOR_IDENT", "GIT_COMMITTER_IDENT")
    )
