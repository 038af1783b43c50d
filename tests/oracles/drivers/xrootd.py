"""A live XRootD with its SciTokens plugin: xrootd.py RUN [CONFIGURATIONS]

Without CONFIGURATIONS each token asks for GET /data/f.txt, GET /other/f.txt and PUT /data/up.txt (there
already) over HTTPS.
With it, a directory of NAME.cfg, one server runs for each, and prints `NAME<TAB>start|probe<TAB>answer<TAB>log`.
"""

import os
import pwd
import re
import shutil
import ssl
import subprocess
import sys
import time

from common import Run, frozen, isolate, prime_scitokens, request, say, scratch, sendable, stop, wait_for

HTTPS_PORT = 1094
PROBES = [("any-token", "base-rs256", "/data"), ("aud-right", "aud-right", "/data"), ("aud-wrong", "aud-wrong", "/data"),
          ("aud-absent", "aud-absent", "/data"), ("scope-other", "scope-read-other", "/data"),
          ("any-token GET /other", "base-rs256", "/other"), ("no-token", None, "/data")]
STANDARD = "[Global]\naudience = {audience}\n[Issuer oracle]\nissuer = {issuer}\nbase_path = /\n"
SERVER = """all.export /data
all.export /other
oss.localroot {place}/root
all.adminpath {place}/admin
all.pidpath {place}/admin
xrd.port 1095
xrd.tls {place}/host.pem {place}/host.key
xrd.tlsca certdir {place}/ca
xrd.network nodnr
xrd.protocol http:1094 libXrdHttp.so
http.header2cgi Authorization authz
http.listingdeny yes
ofs.authorize 1
ofs.authlib libXrdAccSciTokens.so config={place}/scitokens.cfg
acc.audit deny grant
scitokens.trace all
"""


class Server:
    """One XRootD below a directory of its own, as user xrootd."""

    def __init__(self, run, configuration):
        self.place = scratch("xrootd")
        for directory in ["root/data", "root/other", "admin", "ca", "cache"]:
            os.makedirs(os.path.join(self.place, directory))
        for file in ["data/f.txt", "data/up.txt", "other/f.txt"]:
            self.write("root/" + file, b"f\n")
        for file in ["host.pem", "host.key"]:
            shutil.copy(os.path.join(run.directory, file), self.place)
        os.chmod(os.path.join(self.place, "host.key"), 0o400)
        if configuration is not None:
            self.write("scitokens.cfg", configuration)
        self.write("server.cfg", SERVER.format(place=self.place).encode())
        prime_scitokens(run, os.path.join(self.place, "cache"))
        owner = pwd.getpwnam("xrootd")
        for directory, _, files in os.walk(self.place):
            for name in [directory] + [os.path.join(directory, file) for file in files]:
                os.chown(name, owner.pw_uid, owner.pw_gid)
        self.log = os.path.join(self.place, "log")
        self.seen = 0
        command = ["setpriv", "--reuid", str(owner.pw_uid), "--regid", str(owner.pw_gid), "--clear-groups",
                   *frozen(run), "xrootd", "-c", os.path.join(self.place, "server.cfg")]
        environment = dict(os.environ, XDG_CACHE_HOME=os.path.join(self.place, "cache"), HOME=self.place)
        with open(self.log, "wb") as log:
            self.process = subprocess.Popen(command, stdin=subprocess.DEVNULL, stdout=log, stderr=log, cwd=self.place,
                                            env=environment, process_group=0)
        self.context = tls()
        self.runs = self.answers_soon()

    def answers_soon(self):
        """Whether it answers at all; the port is open before the configuration is read, so that this alone says nothing."""
        for _ in range(20):
            if not wait_for(HTTPS_PORT, self.process):
                return False
            if request(HTTPS_PORT, "GET", "/data/f.txt", None, self.context)[0] is not None:
                return True
            time.sleep(0.2)
        return False

    def ask(self, method, path, token):
        """As `request`; where an answer is lost, as on a busy machine, a server that goes on is asked again."""
        for _ in range(3):
            status, reason = request(HTTPS_PORT, method, path, token, self.context)
            if status is not None or ended(self):
                break
        return status, reason

    def write(self, name, data):
        with open(os.path.join(self.place, name), "wb") as file:
            file.write(data)

    def news(self):
        """What the plugin has logged since the last call, without dates, the last line that says why first."""
        with open(self.log, "rb") as log:
            log.seek(self.seen)
            text = log.read()
        self.seen += len(text)
        lines = [line[line.index("scitokens_"):] for line in text.decode("utf-8", "replace").split("\n") if "scitokens_" in line]
        why = re.compile("ailed|Unable|skipping|rror|Ignoring|Unknown|No issuers")
        lines.sort(key=lambda line: 0 if why.search(line) else 1 if "Grant" in line or "New valid" in line else 2)
        return lines[0] if lines else ""

    def close(self):
        stop(self.process)
        shutil.rmtree(self.place)


def tls():
    context = ssl.create_default_context()
    context.check_hostname = False
    context.verify_mode = ssl.CERT_NONE
    return context


def tokens(run):
    server = Server(run, STANDARD.format(audience=run.audience, issuer=run.issuer).encode())
    try:
        for name in run.names:
            token = run.token(name)
            for column, method, path in [("GET", "GET", "/data/f.txt"), ("GET-other", "GET", "/other/f.txt"),
                                         ("PUT", "PUT", "/data/up.txt")]:
                if not sendable(token):
                    say(name, column, "n/a", "cannot be sent in an HTTP header")
                    continue
                if server.process.poll() is not None:
                    server.close()
                    server = Server(run, STANDARD.format(audience=run.audience, issuer=run.issuer).encode())
                server.news()
                status, reason = server.ask(method, path, token)
                if status is None and ended(server):
                    say(name, column, "crash", "the server ended")
                    continue
                say(name, column, "accept" if status in (200, 201) else "reject", f"{reason} | {server.news()}".rstrip(" |"))
    finally:
        server.close()


def ended(server):
    """Whether the server is gone, or about to be."""
    try:
        server.process.wait(timeout=0.5)
        return True
    except subprocess.TimeoutExpired:
        return False


def configurations(run, directory):
    for file in sorted(os.listdir(directory)):
        name = file.removesuffix(".cfg")
        with open(os.path.join(directory, file), "rb") as opened:
            text = opened.read()
        server = Server(run, None if text.strip() == b"(no file)" else text)
        try:
            log = server.news()
            say(name, "start", "starts" if server.runs else "refuses", log)
            for probe, token, folder in PROBES:
                if not server.runs:
                    say(name, probe, "-")
                    continue
                status, _ = server.ask("GET", folder + "/f.txt", token and run.token(token))
                say(name, probe, str(status), server.news())
        finally:
            server.close()


def main():
    run = Run(sys.argv[1])
    isolate()
    if len(sys.argv) > 2:
        configurations(run, sys.argv[2])
    else:
        tokens(run)


main()
