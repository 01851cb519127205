"""Serve the built site on this machine: tools/serve.py FOLDER PORT."""

import errno
import functools
import sys
from http.server import SimpleHTTPRequestHandler, ThreadingHTTPServer

HOST = "127.0.0.1"


class Quiet(SimpleHTTPRequestHandler):
    """Serves files without a line for each request."""

    def log_message(self, format: str, *args: object) -> None:  # noqa: A002  (the base class's name)
        """Say nothing."""


def main(folder: str, port: int) -> int:
    """Serve until Ctrl-C."""
    try:
        server = ThreadingHTTPServer((HOST, port), functools.partial(Quiet, directory=folder))
    except (OSError, OverflowError) as error:
        occupied = isinstance(error, OSError) and error.errno == errno.EADDRINUSE
        why = "another program has it" if occupied else str(error)
        print(f"Cannot serve on port {port}: {why}. Choose one: make serve PORT=8001")
        return 1
    with server:
        print(f"The site is at http://{HOST}:{server.server_port}/ (Ctrl-C ends it)", flush=True)
        try:
            server.serve_forever()
        except KeyboardInterrupt:
            print()
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1], int(sys.argv[2])))
