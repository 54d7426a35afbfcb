"""A server of the tests on 127.0.0.1, at a port that is free."""

from __future__ import annotations

from typing import Any

from aiohttp import web


async def listen(path: str, handler: Any, **options: Any) -> tuple[web.AppRunner, int]:
    """Serves POST `path`; `options` are AppRunner's. The caller cleans the runner up."""
    app = web.Application(client_max_size=2**26)
    app.router.add_post(path, handler)
    runner = web.AppRunner(app, access_log=None, shutdown_timeout=0.1, **options)
    await runner.setup()
    await web.TCPSite(runner, "127.0.0.1", 0).start()
    return runner, int(runner.addresses[0][1])
