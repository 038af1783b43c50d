"""Dynamic registrations at a live OpenID Provider: provider.py RUN REGISTRATIONS PACKAGES

REGISTRATIONS is a file with one registration a line: its name, a tab, the JSON of the request.
"""

import http.client
import json
import os
import subprocess
import sys

from common import isolate, say, stop, wait_for

HERE = os.path.dirname(os.path.abspath(__file__))
PORT = 19555
SECRETS = ["client_secret", "registration_access_token"]


def register(body):
    """(verdict, reason) of one registration."""
    made = http.client.HTTPConnection("localhost", PORT, timeout=15)
    try:
        made.request("POST", "/reg", body=body, headers={"Content-Type": "application/json"})
        answer = made.getresponse()
        text = answer.read().decode("utf-8", "replace")
    finally:
        made.close()
    if answer.status != 201:
        return "reject", text
    asked, stored = json.loads(body), json.loads(text)
    changed = {name: stored.get(name) for name in asked if stored.get(name) != asked[name] and name not in SECRETS}
    return "accept", "stored: " + json.dumps(changed)


def main():
    isolate()
    server = subprocess.Popen(["node", os.path.join(HERE, "provider.mjs"), sys.argv[3], str(PORT)], stdin=subprocess.DEVNULL,
                              stdout=subprocess.DEVNULL, process_group=0)
    try:
        if not wait_for(PORT, server):
            sys.exit("the provider does not start")
        with open(sys.argv[2], encoding="utf-8") as file:
            for line in file:
                name, body = line.rstrip("\n").split("\t", 1)
                say(name, "-", *register(body.encode()))
    finally:
        stop(server)


main()
