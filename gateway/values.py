"""Looking into JSON that nobody vouches for."""

from collections.abc import Iterator, Mapping
from typing import Any


def objects(value: Any) -> Iterator[Mapping[str, Any]]:
    """The objects of a list; none of anything else."""
    for item in value if isinstance(value, list) else ():
        if isinstance(item, Mapping):
            yield item
