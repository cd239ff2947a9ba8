"""Carries connections from one address to another: `python -m tests.chaos.carrier HERE:PORT THERE:PORT`."""

from __future__ import annotations

import asyncio
import sys
from contextlib import suppress
from functools import partial

CHUNK = 65_536


async def _pour(source: asyncio.StreamReader, drain: asyncio.StreamWriter) -> None:
    with suppress(OSError):
        while chunk := await source.read(CHUNK):
            drain.write(chunk)
            await drain.drain()
    with suppress(OSError):
        drain.close()


async def _carry(host: str, port: int, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
    try:
        there, back = await asyncio.open_connection(host, port)
    except OSError:
        writer.close()
        return
    await asyncio.gather(_pour(reader, back), _pour(there, writer))


async def carry(here: str, there: str) -> None:
    """Until the process is killed."""
    host, _, port = here.rpartition(":")
    to_host, _, to_port = there.rpartition(":")
    server = await asyncio.start_server(partial(_carry, to_host, int(to_port)), host, int(port))
    async with server:
        await server.serve_forever()


if __name__ == "__main__":
    asyncio.run(carry(sys.argv[1], sys.argv[2]))
