"""Compiles `messaging/native.c` when there is a compiler; without one everything is Python."""

import os
import shlex
import shutil
import subprocess
import sys
import sysconfig
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from hatchling.builders.hooks.plugin.interface import BuildHookInterface

ROOT = Path(__file__).parent
SOURCE = ROOT / "messaging" / "native.c"
BUILT = ROOT / "messaging" / "native.abi3.so"


class CustomBuildHook(BuildHookInterface):  # type: ignore[type-arg]
    """Lets wheels carry the compiled part, and editable installs find it beside its source."""

    def initialize(self, version: str, build_data: dict[str, Any]) -> None:
        if self.target_name != "wheel":
            return
        missing = compiled()
        if missing:
            self.app.display_warning(f"the compiled part is left out: {missing}")
            return
        platform = sysconfig.get_platform().replace("-", "_").replace(".", "_")
        build_data["artifacts"].append(str(BUILT.relative_to(ROOT)))
        build_data["pure_python"] = False
        build_data["tag"] = f"cp311-abi3-{platform}"


def compiled(built: Path = BUILT, *, more: Sequence[str] = ()) -> str:
    """Compile it, beside its source. Empty when that went well, or else what was missing."""
    compiler = os.environ.get("CC") or sysconfig.get_config_var("CC") or "cc"
    [program, *options] = shlex.split(compiler)
    if sys.platform == "win32" or shutil.which(program) is None:
        return f"{program} is not installed"
    headers = sysconfig.get_paths()["include"]
    if not (Path(headers) / "Python.h").exists():
        return f"{headers} holds no Python.h"
    undefined = ["-undefined", "dynamic_lookup"] if sys.platform == "darwin" else []
    fresh = built.with_suffix(".fresh")
    command = [program, *options, "-O2", "-Wall", "-Wextra", "-shared", "-fPIC", *undefined, *more,
               f"-I{headers}", str(SOURCE), "-o", str(fresh)]  # fmt: skip
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    if done.returncode:
        return done.stderr
    # Whoever runs with the old one keeps it.
    fresh.replace(built)
    return ""


if __name__ == "__main__":
    sys.exit(compiled() or 0)
