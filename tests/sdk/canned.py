"""A provider that answers what a test says: for the APIs that the simulated providers do not speak."""

import json
import threading
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from types import SimpleNamespace


@contextmanager
def provider(answer):
    """Its `url`, and the `requests` that have reached it, each a path and a body, until it is left.

    `answer` makes of a path and a body a status, a media type and bytes; what is no bytes is written as JSON."""
    requests = []

    class Handler(BaseHTTPRequestHandler):
        protocol_version = "HTTP/1.1"

        def do_POST(self):
            self.serve(self.rfile.read(int(self.headers["content-length"])))

        def do_GET(self):
            self.serve(b"")

        def serve(self, body):
            requests.append((self.path, body))
            status, media, content = answer(self.path, body)
            content = content if isinstance(content, bytes) else json.dumps(content).encode()
            self.send_response(status)
            self.send_header("content-type", media)
            self.send_header("content-length", str(len(content)))
            self.end_headers()
            self.wfile.write(content)

        def log_message(self, *_):
            pass

    server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    thread = threading.Thread(target=server.serve_forever, daemon=True)
    thread.start()
    yield SimpleNamespace(url=f"http://127.0.0.1:{server.server_port}", requests=requests)
    server.shutdown()
    server.server_close()
    thread.join()


def providers(url):
    """A section of each kind at one address."""
    kinds = {"openai": f"{url}/v1", "anthropic": url, "gemini": url, "ollama": url}
    return {kind: {"kind": kind, "base_url": base, "credential": {"value": "k"}} for kind, base in kinds.items()}
