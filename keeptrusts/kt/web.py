"""`python -m keeptrusts.kt.web HOST PORT`: the web process (console, admin, /v1)."""

import sys

from keeptrusts.kt import serving
from keeptrusts.supervisor import ports

APPLICATION = "keeptrusts.asgi:application"
GRACE_SECONDS = 8


def main() -> None:
    """Serve until SIGINT or SIGTERM."""
    host, port = sys.argv[1], int(sys.argv[2])
    sock = ports.listening(host, port, backlog=serving.BACKLOG)
    serving.serve(
        APPLICATION,
        sock,
        on_ready=lambda: None,
        grace_seconds=GRACE_SECONDS,
        access_log=True,
    )


if __name__ == "__main__":
    main()
