"""ARC's token class, with keys fetched from the issuer: arc.py RUN

Columns: `-` is the class's own verdict; `+https-key` also wants the key to come over HTTPS, as ARC's handler of tokens does.
"""

import os
import shutil
import subprocess
import sys

import issuer
from common import Run, frozen, isolate, mount_over, say

HERE = os.path.dirname(os.path.abspath(__file__))


def build(run):
    """Compiles the program that asks ARC; its path."""
    program = os.path.join(run.directory, "arc")
    flags = subprocess.run(["pkg-config", "--cflags", "--libs", "glibmm-2.4"], check=True, capture_output=True, text=True).stdout.split()
    subprocess.run(["g++", "-O1", "-o", program, os.path.join(HERE, "arc.cpp"), *flags, "-larcotokens", "-larccommon"], check=True)
    return program


def trust(run):
    """Puts the test authority where ARC looks for authorities, in this process's own mounts."""
    mount_over("/etc/grid-security")
    directory = "/etc/grid-security/certificates"
    os.mkdir(directory)
    shutil.copy(os.path.join(run.directory, "ca.pem"), directory)
    subprocess.run(["openssl", "rehash", directory], check=True)


def main():
    run = Run(sys.argv[1])
    program = build(run)
    isolate()
    trust(run)
    issuer.serve(run)
    with subprocess.Popen([*frozen(run), program, run.directory], stdout=subprocess.PIPE, stderr=subprocess.DEVNULL) as asked:
        for line in asked.stdout:
            name, verdict, key, log = line.decode("utf-8", "replace").rstrip("\n").split("\t", 3)
            reason = f"key={key} | {log}"
            say(name, "-", verdict, reason)
            safe = verdict if verdict != "accept" or key.startswith("ExternalSafeKey") else "reject"
            say(name, "+https-key", safe, reason)


main()
