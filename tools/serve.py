"""Serve the built site on this machine: tools/serve.py FOLDER PORT."""

import errno
import functools
import sys
from collections.abc import Callable
from http import HTTPStatus
from http.server import SimpleHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path

HOST = "127.0.0.1"


class Quiet(SimpleHTTPRequestHandler):
    """Serves files without a line for each request, and the site's own page for what is missing."""

    def log_message(self, format: str, *args: object) -> None:  # noqa: A002  (the base class's name)
        """Say nothing."""

    def send_error(self, code: int, message: str | None = None, explain: str | None = None) -> None:
        """Answer as a host of static pages does."""
        page = Path(self.directory) / "404.html"
        if code != HTTPStatus.NOT_FOUND or not page.is_file():
            return super().send_error(code, message, explain)
        body = page.read_bytes()
        self.send_response(code)
        self.send_header("Content-Type", "text/html; charset=utf-8")
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        if self.command != "HEAD":
            self.wfile.write(body)
        return None


def handler_for(folder: str) -> Callable[..., Quiet]:
    """Return what answers requests for the files of a folder."""
    return functools.partial(Quiet, directory=folder)


def main(folder: str, port: str) -> int:
    """Serve until Ctrl-C."""
    try:
        server = ThreadingHTTPServer((HOST, int(port)), handler_for(folder))
    except (OSError, OverflowError, ValueError) as error:
        occupied = isinstance(error, OSError) and error.errno == errno.EADDRINUSE
        why = "another program has it" if occupied else error
        print(f"Cannot serve on port {port} ({why}).", file=sys.stderr)
        print("Choose another: make serve PORT=8001", file=sys.stderr)
        return 1
    with server:
        print(f"The site is at http://{HOST}:{server.server_port}/ (Ctrl-C ends it)", flush=True)
        try:
            server.serve_forever()
        except KeyboardInterrupt:
            print()
    return 0


if __name__ == "__main__":
    sys.exit(main(*sys.argv[1:]))
