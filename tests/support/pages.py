"""Pages that tell people what to type, and a shell that types it."""

import os
import re
import subprocess
import sys
from pathlib import Path

from tests.support.running import ROOT, RunningHouse

SERVER = "http://127.0.0.1:8000"
"""Where pages say that the server is."""


def tour(page: str) -> list[str]:
    """The blocks of a page that are marked as parts of its tour."""
    text = (ROOT / page).read_text("utf-8")
    return re.findall(r"<!-- tour -->\n```bash\n(.*?)```", text, re.DOTALL)


def shell(house: RunningHouse, script: str) -> str:
    """Run a script as a newcomer would, in the folder of the server; what it printed."""
    path = f"{Path(sys.executable).parent}{os.pathsep}{os.environ['PATH']}"
    where = {"ZAFFA_SERVER_PORT": str(house.port), "PATH": path, "PYTHONPATH": str(ROOT)}
    done = subprocess.run(
        ["bash", "-euo", "pipefail", "-c", script.replace(SERVER, house.url)],
        cwd=house.folder,
        env={**house.environment(), **where},
        capture_output=True,
        text=True,
        check=False,
        timeout=300,
    )
    assert done.returncode == 0, f"{done.stdout}\n{done.stderr}"
    return done.stdout
