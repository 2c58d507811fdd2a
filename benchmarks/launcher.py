"""Runs a command from a small process: `launcher.py OUTPUT LOG COMMAND...`.

A process inherits the peak of the one that starts it, so a benchmark that holds much itself cannot
tell how little its commands do. Prints, as JSON, the wall and CPU seconds and the peak memory in MB.
"""

import json
import os
import sys
import time


def main(output: str, log: str, *command: str) -> None:
    """Run the command with its output and log in files; ends with its exit code."""
    flags = os.O_WRONLY | os.O_CREAT | os.O_TRUNC
    to_files = [
        (os.POSIX_SPAWN_OPEN, number, path, flags, 0o600)
        for number, path in ((1, output), (2, log))
    ]
    started = time.monotonic()
    process = os.posix_spawn(command[0], command, os.environ, file_actions=to_files)
    _, status, usage = os.wait4(process, 0)
    seconds = time.monotonic() - started
    unit = 1024**2 if sys.platform == "darwin" else 1024
    cpu = usage.ru_utime + usage.ru_stime
    json.dump({"seconds": seconds, "cpu": cpu, "peak": usage.ru_maxrss / unit}, sys.stdout)
    sys.exit(os.waitstatus_to_exitcode(status))


if __name__ == "__main__":
    main(*sys.argv[1:])
