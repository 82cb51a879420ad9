"""How this very `kt` is called from the shell it was started in."""

import shlex
import shutil
import sys
from pathlib import Path


def command() -> str:
    """`kt` where the shell finds this installation by that name, else what to type instead."""
    own = Path(sys.executable).with_name("kt")
    if not own.is_file():
        return f"{shlex.quote(sys.executable)} -m keeptrusts.kt"
    found = shutil.which("kt")
    return "kt" if found and Path(found).samefile(own) else shlex.quote(str(own))
