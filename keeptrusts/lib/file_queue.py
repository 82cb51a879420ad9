"""The embedded queue: messages are files, and a file is there whole or not at all.

kombu's file transport opens a message under its final name before it writes it, so that a worker
that looks at the wrong moment reads nothing and dies. Here a message gets its name when it is
complete.
"""

import os
import time
import uuid
from pathlib import Path
from typing import Any

from kombu.transport import filesystem
from kombu.utils.json import dumps


class Channel(filesystem.Channel):
    """Puts messages into the queue's folder by renaming them."""

    def _put(self, queue: str, message: Any, **_: Any) -> None:  # type: ignore[override]
        name = f"{time.monotonic_ns() // 1_000_000}_{uuid.uuid4()}.{queue}.msg"
        folder = Path(self.data_folder_out)
        unfinished = folder / f"{name}.part"
        unfinished.write_text(dumps(message), encoding="utf-8")
        os.replace(unfinished, folder / name)


class Transport(filesystem.Transport):
    """kombu's file transport with whole messages."""

    Channel = Channel
