"""Databases without any tables."""

import asyncio
import uuid
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager

import asyncpg


@contextmanager
def empty_database(postgres_url: str) -> Iterator[str]:
    """A fresh PostgreSQL database on the server at `postgres_url`; gone in the end."""
    name = f"zaffa_empty_{uuid.uuid4().hex[:12]}"
    _administer(postgres_url, f'CREATE DATABASE "{name}"')
    try:
        yield f"{postgres_url.rpartition('/')[0]}/{name}"
    finally:
        _administer(postgres_url, f'DROP DATABASE "{name}" WITH (FORCE)')


def _administer(postgres_url: str, statement: str) -> None:
    async def run() -> None:
        connection = await asyncpg.connect(postgres_url)
        try:
            await connection.execute(statement)
        finally:
            await connection.close()

    with ThreadPoolExecutor(1) as thread:
        thread.submit(lambda: asyncio.run(run())).result()
