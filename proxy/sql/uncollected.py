"""Trees are made and used without the garbage collector.

Why it exists: all that a plan is made with ends with it. To look through it several times while it
grows costs a sixth of the time, a third of a large one's, and frees nothing.
"""

from __future__ import annotations

import gc


class uncollected:  # a context manager by hand: one made of a generator costs as much as a pass
    """Nothing is collected meanwhile, in any thread: for work that is short, on the loop's own."""

    __slots__ = ("_collects",)

    def __enter__(self) -> None:
        self._collects = gc.isenabled()
        gc.disable()

    def __exit__(self, *_: object) -> None:
        if self._collects:
            gc.enable()
