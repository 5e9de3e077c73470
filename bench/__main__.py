"""`python -m bench NAME [--seconds S] [...]`: run one measurement, print its table, last a line of JSON with "ok"."""

import json
import signal
import sys
from importlib import import_module
from pkgutil import iter_modules

import bench

TOOLS = {"__main__", "client", "filled", "limits", "load", "peers", "report", "servers"}


def names() -> list[str]:
    """The measurements there are: every module of this folder that is not one of its tools."""
    return sorted(found.name for found in iter_modules(bench.__path__) if found.name not in TOOLS)


def main(arguments: list[str]) -> int:
    """0 if the measurement ran and its own checks held."""
    if not arguments or arguments[0] not in names():
        print(f"usage: bench NAME [options], NAME one of: {', '.join(names())}", file=sys.stderr)
        return 2
    figures = import_module(f"bench.{arguments[0]}").main(arguments[1:])
    print(json.dumps(figures))
    return 0 if figures["ok"] else 1


if __name__ == "__main__":
    signal.signal(signal.SIGTERM, lambda *_: sys.exit(143))  # so that what was started is stopped
    sys.exit(main(sys.argv[1:]))
