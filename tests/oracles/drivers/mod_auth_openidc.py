"""Apache with mod_auth_openidc as a resource server that verifies JWTs by the issuer's keys: mod_auth_openidc.py RUN

The location wants the claim aud to be the service's audience or the WLCG any-URL.
"""

import os
import shutil
import subprocess
import sys

import issuer
from common import Run, frozen, isolate, request, say, scratch, sendable, stop, wait_for

PORT = 1094
MODULES = ["mpm_prefork", "authn_core", "authz_core", "authz_user", "auth_openidc"]
CONFIGURATION = """
ServerName localhost
Listen 127.0.0.1:{port}
PidFile {place}/pid
DefaultRuntimeDir {place}
Mutex file:{place} default
User www-data
Group www-data
DocumentRoot {place}/root
ErrorLog {place}/log
LogLevel warn auth_openidc:warn authz_core:error
LimitRequestFieldSize 4000000
LimitRequestLine 8190
OIDCOAuthVerifyJwksUri {issuer}/jwk
OIDCOAuthSSLValidateServer Off
OIDCCryptoPassphrase oracle-test
OIDCCacheType file
OIDCCacheDir {place}/cache
<Location />
  AuthType oauth20
  <RequireAny>
    Require claim "aud:{audience}"
    Require claim "aud:https://wlcg.cern.ch/jwt/v1/any"
  </RequireAny>
</Location>
"""


def start(run, place):
    for directory in ["root", "cache"]:
        os.makedirs(os.path.join(place, directory), exist_ok=True)
    with open(os.path.join(place, "root", "f.txt"), "w") as file:
        file.write("f\n")
    shutil.chown(os.path.join(place, "cache"), "www-data", "www-data")
    loads = "".join(f"LoadModule {name}_module /usr/lib/apache2/modules/mod_{name}.so\n" for name in MODULES)
    configuration = os.path.join(place, "apache.conf")
    with open(configuration, "w") as file:
        file.write(loads + CONFIGURATION.format(port=PORT, place=place, issuer=run.issuer, audience=run.audience))
    command = [*frozen(run), "apache2", "-X", "-f", configuration]
    return subprocess.Popen(command, stdin=subprocess.DEVNULL, stdout=subprocess.DEVNULL, process_group=0)


def news(place, seen):
    """The first line of the error log after `seen` bytes that tells why, and how long the log is now."""
    try:
        with open(os.path.join(place, "log"), "rb") as log:
            log.seek(seen)
            text = log.read()
    except FileNotFoundError:
        return "", seen
    lines = [line for line in text.decode("utf-8", "replace").split("\n") if "oidc_" in line or "AH01631" in line]
    line = lines[0] if lines else ""
    for mark in ["AH01631", "oidc_"]:
        if mark in line:
            line = line[line.index(mark):]
    return line, seen + len(text)


def main():
    run = Run(sys.argv[1])
    isolate()
    issuer.serve(run)
    place = scratch("apache")
    process = start(run, place)
    try:
        if not wait_for(PORT, process):
            sys.exit("apache does not start")
        seen = 0
        for name in run.names:
            token = run.token(name)
            if not sendable(token):
                say(name, "-", "n/a", "cannot be sent in an HTTP header")
                continue
            _, seen = news(place, seen)
            status, reason = request(PORT, "GET", "/f.txt", token)
            why, seen = news(place, seen)
            verdict = "crash" if process.poll() is not None else "accept" if status == 200 else "reject"
            say(name, "-", verdict, f"{reason} | {why}".rstrip(" |"))
            if process.poll() is not None:
                process = start(run, place)
                wait_for(PORT, process)
    finally:
        stop(process)


main()
