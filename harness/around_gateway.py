#!/usr/bin/env python3
"""Stands between the client and the gateway, and takes some requests around it: how a session looks that has a hole on purpose.

    around_gateway.py --port N --gateway PORT --api PORT [--agents] [--ready-file FILE]

With --agents the requests of subagents go to the API directly. Without, everything goes through the gateway while it answers, and to the API
directly once it does not.
"""
import argparse
import http.client
import pathlib
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

HOP = {"connection", "keep-alive", "transfer-encoding", "content-length", "host"}


class Handler(BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.0"

    def log_message(self, *_):
        pass

    def pass_on(self):
        body = self.rfile.read(int(self.headers.get("content-length") or 0))
        around = self.server.options.agents and self.headers.get("x-claude-code-agent-id")
        ports = [self.server.options.api] if around else [self.server.options.gateway, self.server.options.api]
        headers = {name: value for name, value in self.headers.items() if name.lower() not in HOP}
        for port in ports:
            upstream = http.client.HTTPConnection("127.0.0.1", port, timeout=120)
            try:
                upstream.request(self.command, self.path, body, headers)
                answer = upstream.getresponse()
            except OSError:
                continue
            self.send_response(answer.status)
            for name, value in answer.getheaders():
                if name.lower() not in HOP:
                    self.send_header(name, value)
            self.end_headers()
            while part := answer.read1(65536):
                self.wfile.write(part)
                self.wfile.flush()
            return
        self.send_error(502)

    do_GET = do_POST = do_HEAD = pass_on


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    for name in ("--port", "--gateway", "--api"):
        parser.add_argument(name, type=int, required=True)
    parser.add_argument("--agents", action="store_true")
    options = parser.parse_args()
    server = ThreadingHTTPServer(("127.0.0.1", options.port), Handler)
    server.options = options
    server.serve_forever()


if __name__ == "__main__":
    main()
