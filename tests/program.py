"""`amplify` in a process of its own, as people run it, but forked from one that has read the application already.

Reading it takes a second and a half; the tests start some hundred commands. What a start itself must hold (signals,
servers, the environment of the very first line) is tested by `python -m amplify`.
"""

import atexit
import multiprocessing
import os
import subprocess
import sys
from collections.abc import Mapping, Sequence
from pathlib import Path
from tempfile import TemporaryDirectory

FORKS = multiprocessing.get_context("forkserver")
FORKS.set_forkserver_preload(["amplify.app", "amplify.wiring", "amplify.cli"])


def amplify(arguments: Sequence[str], environ: Mapping[str, str]) -> subprocess.CompletedProcess[str]:
    """Run `amplify ...` in this environment to its end; raises TimeoutExpired after two minutes."""
    with TemporaryDirectory() as folder:
        said, complained = Path(folder, "stdout"), Path(folder, "stderr")
        child = FORKS.Process(target=_become, args=(list(arguments), dict(environ), str(said), str(complained)))
        child.start()
        child.join(120)
        if child.is_alive():
            child.kill()
            raise subprocess.TimeoutExpired(list(arguments), 120)
        texts = (file.read_text() if file.exists() else "" for file in (said, complained))
        return subprocess.CompletedProcess(list(arguments), int(child.exitcode or 0), *texts)


def _become(arguments: list[str], environ: dict[str, str], said: str, complained: str) -> None:
    os.environ.clear()
    os.environ.update(environ)
    for number, name in ((1, said), (2, complained)):
        handle = os.open(name, os.O_WRONLY | os.O_CREAT | os.O_APPEND)
        os.dup2(handle, number)
        os.close(handle)
    sys.stdin = open(os.devnull)  # noqa: SIM115  it lives as long as the process
    sys.argv = ["amplify", *arguments]
    from amplify.cli import main

    try:
        main()
    finally:
        sys.stdout.flush()
        sys.stderr.flush()
        atexit._run_exitfuncs()
