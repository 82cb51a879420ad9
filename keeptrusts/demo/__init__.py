"""The demo: an organisation with teams, people, keys and money, made once in a data directory.

`create_once` makes it, `secrets` keeps what was shown once, `table` shows it.
"""

from keeptrusts.demo.create import create_once
from keeptrusts.demo.secrets import Demo, Person

__all__ = ["Demo", "Person", "create_once"]
