"""What the drivers share: the cases of a run, one forked child for each, and the lines they print.

A run is a directory with tokens/NAME.jwt, jwks.json and settings.json (issuer, audience, now, names of the cases).
A driver prints `case<TAB>column<TAB>verdict<TAB>reason`; verdicts are accept, reject, n/a, crash and timeout.
No reason holds a token or a part of one that is long enough to matter.
"""

import ctypes
import fcntl
import http.client
import json
import os
import re
import select
import signal
import socket
import sqlite3
import struct
import sys
import time

# Libfaketime and the drivers keep what they share here.
SCRATCH = "/dev/shm"
LONG = re.compile(r"[A-Za-z0-9_+/=-]{60,}")


class Run:
    def __init__(self, directory):
        self.directory = directory
        with open(os.path.join(directory, "settings.json")) as file:
            settings = json.load(file)
        self.issuer = settings["issuer"]
        self.audience = settings["audience"]
        self.now = settings["now"]
        self.names = settings["cases"]
        with open(os.path.join(directory, "jwks.json")) as file:
            self.jwks = json.load(file)

    def token(self, name):
        with open(os.path.join(self.directory, "tokens", name + ".jwt"), "rb") as file:
            return file.read()


def say(case, column, verdict, reason=""):
    """One line of the answer; the reason is one line of plain text and quotes nothing long."""
    if isinstance(reason, bytes):
        reason = reason.decode("utf-8", "replace")
    plain = LONG.sub("[...]", reason)
    plain = "".join(c if c.isprintable() else " " for c in plain)[:300]
    sys.stdout.write(f"{case}\t{column}\t{verdict}\t{plain}\n")
    sys.stdout.flush()


def each(run, columns, judge, patience=20):
    """Asks `judge(token)` about every case in a child of its own; it yields (column, verdict, reason).

    The child's answers are read through a pipe, so that a crash or a hang loses that case alone.
    """
    for name in run.names:
        token = run.token(name)
        reader, writer = os.pipe()
        child = os.fork()
        if child == 0:
            os.close(reader)
            os.dup2(2, 1)  # what a library prints is no answer
            told = set()

            def answer(column, verdict, reason):
                told.add(column)
                if isinstance(reason, bytes):
                    reason = reason.decode("utf-8", "replace")
                data = json.dumps([column, verdict, reason]).encode() + b"\n"
                while data:
                    data = data[os.write(writer, data):]

            try:
                for found in judge(token):
                    answer(*found)
            except BaseException as error:  # what a library throws is its answer
                for column in columns:
                    if column not in told:
                        answer(column, "reject", f"{type(error).__name__}: {error}")
            os._exit(0)
        os.close(writer)
        answers, ended = read(reader, child, patience)
        told = {answer[0] for answer in answers}
        for column, verdict, reason in answers:
            say(name, column, verdict, reason)
        for column in columns:
            if column not in told:
                say(name, column, ended, "the process ended before an answer")


def read(reader, child, patience):
    """The child's answers, and how to call it when there are none. Time is measured without the frozen clock."""
    data = b""
    deadline = time.monotonic() + patience
    ended = "crash"
    while True:
        ready, _, _ = select.select([reader], [], [], max(0, deadline - time.monotonic()))
        if not ready:
            os.kill(child, signal.SIGKILL)
            ended = "timeout"
            break
        part = os.read(reader, 65536)
        if not part:
            break
        data += part
    os.close(reader)
    os.waitpid(child, 0)
    return [json.loads(line) for line in data.split(b"\n")[:-1]], ended


def isolate():
    """Brings up loopback and a scratch directory of its own; the namespaces are made by `unshare`, which starts the driver.

    Servers can take the ports that the tokens name, nobody else reaches them, and nothing leaves the machine.
    """
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as any_socket:
        get_flags, set_flags, up = 0x8913, 0x8914, 1
        request = struct.pack("16sh14x", b"lo", 0)
        flags = struct.unpack("16sh14x", fcntl.ioctl(any_socket, get_flags, request))[1]
        fcntl.ioctl(any_socket, set_flags, struct.pack("16sh14x", b"lo", flags | up))
    mount_over(SCRATCH)


def scratch(name):
    """A new directory that goes when the driver ends, however it ends."""
    directory = os.path.join(SCRATCH, name)
    os.mkdir(directory, 0o755)
    return directory


def mount_over(path):
    """An empty directory over a path, for this process and its children alone."""
    os.makedirs(path, exist_ok=True)
    libc = ctypes.CDLL(None, use_errno=True)
    if libc.mount(b"tmpfs", path.encode(), b"tmpfs", ctypes.c_ulong(0), b"mode=1777"):
        raise OSError(ctypes.get_errno(), "mounting is refused")


def frozen(run):
    """What comes before a command so that its clock stands still, five seconds after the tokens were made."""
    os.environ.update(TZ="UTC", FAKETIME_DONT_FAKE_MONOTONIC="1")
    return ["faketime", "-f", time.strftime("%Y-%m-%d %H:%M:%S", time.gmtime(run.now + 5))]


def freeze(run):
    """Isolates, then starts this program once more with a clock that stands still; time.sleep() does not work then."""
    if "ORACLE_FROZEN" not in os.environ:
        isolate()
        os.environ["ORACLE_FROZEN"] = "1"
        command = frozen(run) + [sys.executable] + sys.argv
        os.execvp(command[0], command)


def prime_scitokens(run, directory):
    """Writes the issuer's keys into a key cache of scitokens-cpp, for a long time. All versions read this table."""
    directory = os.path.join(directory, "scitokens")
    os.makedirs(directory, exist_ok=True)
    with sqlite3.connect(os.path.join(directory, "scitokens_cpp.sqllite")) as cache:
        cache.execute("CREATE TABLE IF NOT EXISTS keycache (issuer text UNIQUE PRIMARY KEY NOT NULL, keys text NOT NULL)")
        entry = {"jwks": run.jwks, "expires": run.now + 400000, "next_update": run.now + 300000}
        cache.execute("INSERT OR REPLACE INTO keycache VALUES (?, ?)", (run.issuer, json.dumps(entry)))


def sendable(token):
    """Whether an HTTP header can carry these bytes as one token."""
    return re.fullmatch(rb"[\x21-\x7e]+", token) is not None


def request(port, method, path, token, context=None):
    """(status or None, reason) of one HTTPS request, or HTTP without a context; token None sends none."""
    made = (http.client.HTTPSConnection("localhost", port, timeout=15, context=context) if context
            else http.client.HTTPConnection("localhost", port, timeout=15))
    headers = {} if token is None else {"Authorization": b"Bearer " + token}
    try:
        made.request(method, path, body=b"x" if method == "PUT" else None, headers=headers)
        answer = made.getresponse()
        answer.read()
        return answer.status, f"HTTP {answer.status}"
    except (OSError, http.client.HTTPException) as error:
        return None, f"{type(error).__name__}: {error}"
    finally:
        made.close()


def wait_for(port, process, patience=20):
    """Waits until something listens; False when the process ended or nothing came."""
    deadline = time.monotonic() + patience
    while time.monotonic() < deadline and process.poll() is None:
        try:
            socket.create_connection(("localhost", port), timeout=1).close()
            return True
        except OSError:
            time.sleep(0.05)
    return False


def stop(process):
    """Ends a process that was started as the leader of its group, and waits for it."""
    try:
        os.killpg(process.pid, signal.SIGKILL)
    except ProcessLookupError:
        pass
    process.wait(timeout=10)
