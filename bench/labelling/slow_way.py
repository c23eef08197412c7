"""A way to a server that takes its time, as a network does: every byte comes later, none is lost."""

from __future__ import annotations

import asyncio
import threading
from contextlib import suppress

CHUNK = 65_536


class SlowWay:
    """`with SlowWay(port, 0.2) as url:` what goes there and what comes back takes 0.2 seconds together."""

    def __init__(self, port: int, round_trip_s: float) -> None:
        self.port, self.delay_s = port, round_trip_s / 2
        self._loop = asyncio.new_event_loop()
        self._thread = threading.Thread(target=self._loop.run_forever, daemon=True)

    def __enter__(self) -> str:
        self._thread.start()
        started = asyncio.run_coroutine_threadsafe(
            asyncio.start_server(self._serve, "127.0.0.1", 0), self._loop
        )
        return f"http://127.0.0.1:{started.result().sockets[0].getsockname()[1]}"

    def __exit__(self, *exception: object) -> None:
        asyncio.run_coroutine_threadsafe(self._end(), self._loop).result(timeout=10)
        self._loop.call_soon_threadsafe(self._loop.stop)
        self._thread.join(timeout=10)
        self._loop.close()

    async def _end(self) -> None:
        open_ways = asyncio.all_tasks() - {asyncio.current_task()}
        for task in open_ways:
            task.cancel()
        await asyncio.gather(*open_ways, return_exceptions=True)

    async def _serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        try:
            behind, ahead = await asyncio.open_connection("127.0.0.1", self.port)
        except OSError:  # the server is away: so is the way to it
            writer.close()
            return
        # Where the way itself ends, so do the connections on it.
        with suppress(asyncio.CancelledError):
            await asyncio.gather(self._carry(reader, ahead), self._carry(behind, writer))

    async def _carry(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        """Pass on each chunk when its time has come; chunks travel at once, not one after another."""
        on_the_way: asyncio.Queue[tuple[float, bytes]] = asyncio.Queue()
        arriving = asyncio.create_task(self._arrive(on_the_way, writer))
        chunk = b" "
        while chunk:
            chunk = b""  # the end, also where the connection broke
            with suppress(ConnectionError):
                chunk = await reader.read(CHUNK)
            on_the_way.put_nowait((self._loop.time() + self.delay_s, chunk))
        await arriving

    async def _arrive(
        self, on_the_way: asyncio.Queue[tuple[float, bytes]], writer: asyncio.StreamWriter
    ) -> None:
        chunk = b" "
        while chunk:
            due, chunk = await on_the_way.get()
            await asyncio.sleep(max(0.0, due - self._loop.time()))
            with suppress(ConnectionError):
                writer.write(chunk)
                await writer.drain()
        writer.close()
