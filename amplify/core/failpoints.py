"""Named places at which a test may kill the process, as a power cut would: no clean-up, no rollback, no goodbye.

`AMPLIFY_FAILPOINT=name` dies there the first time, `name:3` the third. Armed only where the environment itself says
AMPLIFY_ENV=test; everywhere else a place costs one comparison.
"""

import os

EXIT_CODE = 137  # what kill -9 leaves

_name, _, _count = os.environ.get("AMPLIFY_FAILPOINT", "").partition(":")
_armed = _name if os.environ.get("AMPLIFY_ENV") == "test" else ""
_left = int(_count or 1)


def reach(name: str) -> None:
    """Dies here if this is the armed place and its turn has come."""
    global _left
    if name == _armed:
        _left -= 1
        if _left == 0:
            os._exit(EXIT_CODE)
