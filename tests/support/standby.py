"""A PostgreSQL that follows another, until it is promoted."""

import os
import subprocess
from pathlib import Path

from tests.support.servers import HOST, NOBODY, CannotStart, PostgresServer

StrPath = str | Path


class StandbyServer(PostgresServer):
    """Holds all that its primary has committed: the primary waits for it from `attach` on."""

    def __init__(self, primary: PostgresServer) -> None:
        super().__init__(durable=True, settings={"wal_retrieve_retry_interval": "200ms"})
        self._primary = primary

    def attach(self) -> None:
        """Let the primary tell nobody of a commit that is not here as well."""
        self._primary.psql("ALTER SYSTEM SET synchronous_standby_names = '*'")
        # A primary that was killed would else throw away what the standby has not read yet, and
        # wait for ever for it to have read that.
        self._primary.psql("ALTER SYSTEM SET wal_keep_size = '1GB'")
        self._primary.psql("SELECT pg_reload_conf()")

    def promote(self) -> None:
        """Become a primary."""
        if self.psql("SELECT pg_promote(wait => true, wait_seconds => 60)") != "t":
            raise CannotStart(f"the standby was not promoted:\n{self.log()}")

    def _initialise(self) -> None:
        assert self._bin is not None
        ids: dict[str, object] = {}
        if self._user is not None:
            self._directory.chmod(0o755)
            ids = {"user": self._user, "group": self._user, "extra_groups": []}
        if self._user is not None:
            os.chown(self._data, NOBODY, NOBODY)
        command: list[StrPath] = [self._bin / "pg_basebackup", "-D", self._data, "-h", HOST]
        command += [
            "-p",
            str(self._primary.port),
            *["-U", "postgres", "-R", "-c", "fast", "--no-sync"],
        ]
        done = subprocess.run(
            command,
            capture_output=True,
            text=True,
            check=False,
            cwd="/",
            **ids,  # type: ignore[call-overload]
        )
        if done.returncode != 0:
            raise CannotStart(f"pg_basebackup failed:\n{done.stdout}{done.stderr}")
