"""Keep Python's collector of cycles off what stays loaded.

A server holds hundreds of thousands of objects for as long as it lives, and a full collection walks them all while
every request waits. Frozen objects are not walked (Python docs, `gc.freeze`).
"""

from __future__ import annotations

import gc


def settle() -> None:
    """Collect once, also what was frozen before and is not used any more, then freeze what is left."""
    gc.unfreeze()
    gc.collect()
    gc.freeze()
