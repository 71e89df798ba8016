"""How long to wait before the next try, and when to give up."""

from __future__ import annotations

import random

from cleanplate.client.errors import ClientError

FIRST_PAUSE_S = 0.5
LONGEST_PAUSE_S = 10.0
LONGEST_WAIT_S = 60.0


class Retries:
    """The tries in vain of one thing, of which `allowed` may follow each other."""

    def __init__(self, allowed: int):
        self._allowed = allowed
        self._made = 0

    def succeeded(self) -> None:
        """Begin to count anew."""
        self._made = 0

    def pause_s(self, error: ClientError) -> float:
        """Return how long to wait before another try.

        Raises:
            ClientError: the given one: it will not pass, not soon, or not within the tries that are allowed.
        """
        after_s = error.retry_after_s
        if not error.passing or self._made >= self._allowed or (after_s or 0.0) > LONGEST_WAIT_S:
            raise error
        self._made += 1
        if after_s is not None:
            return after_s * random.uniform(1.0, 1.25)
        longest_s: float = min(LONGEST_PAUSE_S, FIRST_PAUSE_S * 2 ** (self._made - 1))
        return longest_s * random.uniform(0.5, 1.0)
