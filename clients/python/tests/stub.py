"""A collector for the tests: answers as it is told, and remembers what it was sent."""

from __future__ import annotations

import json
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from threading import Thread
from typing import Any, Callable, Dict, List, Optional, Tuple

Answer = Tuple[int, Dict[str, str], Any]


def sealed(records: List[Dict[str, Any]], known: Dict[str, Any]) -> Answer:
    """Answers as the collector does: each record is sealed once, by its id."""
    results = []
    for record in records:
        own = record.get("audit_id") or record["event_id"]
        results.append({"status": "known" if own in known else "sealed", "audit_id": own})
        known.setdefault(own, record)
    return 200, {}, {"results": results}


class Stub:
    """Listens on a port of its own until `stop`; `answer` may be changed at any time."""

    def __init__(self, port: int = 0) -> None:
        self.known: Dict[str, Dict[str, Any]] = {}
        self.requests: List[Dict[str, Any]] = []
        self.answer: Callable[[List[Dict[str, Any]], Dict[str, Any]], Answer] = sealed
        stub = self

        class Handler(BaseHTTPRequestHandler):
            def do_POST(self) -> None:
                body = self.rfile.read(int(self.headers["Content-Length"]))
                records = json.loads(body)
                stub.requests.append({"path": self.path, "headers": dict(self.headers), "records": records})
                status, headers, answer = stub.answer(records, stub.known)
                text = json.dumps(answer).encode()
                self.send_response(status)
                for name, value in {**headers, "Content-Type": "application/json", "Content-Length": str(len(text))}.items():
                    self.send_header(name, value)
                self.end_headers()
                self.wfile.write(text)

            def log_message(self, *_: Any) -> None:
                pass

        self._server = ThreadingHTTPServer(("127.0.0.1", port), Handler)
        self.port = self._server.server_address[1]
        self.url = f"http://127.0.0.1:{self.port}"
        self._thread: Optional[Thread] = Thread(target=self._server.serve_forever, args=(0.02,), daemon=True)
        self._thread.start()

    def ids(self) -> List[str]:
        """The ids that were sealed, in order."""
        return list(self.known)

    def stop(self) -> None:
        self._server.shutdown()
        self._server.server_close()
