"""Runs one command, its output to a file, and prints what it used: `used.py OUT COMMAND…`. A program of its own, since the
system counts the memory of whoever starts a process as the process's own: this one holds hardly any."""

import os
import sys
import time

out, *command = sys.argv[1:]
started = time.monotonic()
actions = [
    (os.POSIX_SPAWN_OPEN, 0, os.devnull, os.O_RDONLY, 0),
    (os.POSIX_SPAWN_OPEN, 1, out, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o600),
    (os.POSIX_SPAWN_OPEN, 2, os.devnull, os.O_WRONLY, 0),
]
_, status, usage = os.wait4(os.posix_spawnp(command[0], command, os.environ, file_actions=actions), 0)
ended = time.monotonic()
print(usage.ru_utime + usage.ru_stime, ended - started, usage.ru_maxrss / 1024, os.waitstatus_to_exitcode(status))
