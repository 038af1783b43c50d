"""The issuer of the tokens: discovery and keys over HTTPS, on loopback, in a thread of the driver."""

import http.server
import json
import os
import ssl
import threading
from urllib.parse import urlparse


class Handler(http.server.BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.0"

    def do_GET(self):
        # Some clients put the whole address into the first line.
        address = urlparse(self.path)
        # RFC 9110, section 4.2.4: user information in an address is treated as an error.
        body = None if "@" in address.netloc else self.server.pages.get(address.path.replace("//", "/"))
        self.send_response(200 if body else 404)
        self.send_header("Content-Type", "application/json")
        self.send_header("Content-Length", str(len(body or b"")))
        self.end_headers()
        self.wfile.write(body or b"")

    def log_message(self, *arguments):
        pass


def serve(run):
    """Starts the issuer on the port that the tokens name; it ends with the process."""
    address = urlparse(run.issuer)
    server = http.server.ThreadingHTTPServer(("127.0.0.1", address.port), Handler)
    server.pages = {
        "/.well-known/openid-configuration": json.dumps({"issuer": run.issuer, "jwks_uri": run.issuer + "/jwk"}).encode(),
        "/jwk": json.dumps(run.jwks).encode(),
    }
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(os.path.join(run.directory, "host.pem"), os.path.join(run.directory, "host.key"))
    server.socket = context.wrap_socket(server.socket, server_side=True)
    threading.Thread(target=server.serve_forever, daemon=True).start()
