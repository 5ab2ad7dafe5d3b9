"""The wheel, installed where nothing of the checkout is, finds its migrations."""

import os
import subprocess
import sys
from pathlib import Path

import pytest

from tests.support.running import ROOT


@pytest.mark.external
def test_an_installed_wheel_upgrades_a_database(tmp_path: Path):
    built = tmp_path / "dist"
    run = {"check": True, "capture_output": True, "timeout": 110, "text": True}
    subprocess.run(
        [sys.executable, "-m", "build", "--no-isolation", "--wheel", "--outdir", built, ROOT], **run
    )
    (wheel,) = built.glob("zaffa-*.whl")
    home = tmp_path / "venv"
    subprocess.run([sys.executable, "-m", "venv", "--without-pip", home], **run)
    site = home / "lib" / f"python{sys.version_info[0]}.{sys.version_info[1]}" / "site-packages"
    subprocess.run(
        [sys.executable, "-m", "pip", "--python", home / "bin" / "python", "install",
         "--no-deps", "--no-index", "--quiet", wheel],
        **run,
    )  # fmt: skip
    # What the wheel depends on comes from here; the wheel itself from its own environment.
    ours = next(path for path in sys.path if path.endswith("site-packages"))
    (site / "dependencies.pth").write_text(f"{ours}\n")
    environment = {"PATH": os.environ["PATH"]}

    upgraded = subprocess.run(
        [home / "bin" / "python", "-P", "-m", "server", "db", "upgrade"],
        cwd=tmp_path, env=environment, **run,
    )  # fmt: skip
    where = subprocess.run(
        [home / "bin" / "python", "-P", "-c",
         "from server.migrations import scripts; print(scripts())"],
        cwd=tmp_path, env=environment, **run,
    )  # fmt: skip

    assert "up to date" in upgraded.stdout
    assert where.stdout.strip() == str(site / "server" / "_alembic")
