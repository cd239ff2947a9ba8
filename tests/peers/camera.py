"""A browser that stays open and takes pictures of parts of local-slack's pages, for the docs.

    async with Camera() as camera:
        await camera.messages(await at_message(slack, "U0SATO001", ts), to, [ts])
        await camera.modal(await at_message(slack, "U0SATO001", ts), to)

`screens.screenshot` is simpler and takes whole windows. This one drives Chromium over its DevTools protocol.
What belongs to the program and not to the message (its bars, the line to write in) is left out, and a list to
choose several from, which the program does not draw, is drawn as an empty one.
"""

from __future__ import annotations

import asyncio
import base64
import contextlib
import json
import os
import re
import tempfile
from collections.abc import Sequence
from pathlib import Path
from typing import Any, Self

import aiohttp

from tests.peers.programs import DidNotStart
from tests.peers.screens import ARGUMENTS, chromium

WIDTH, HEIGHT = 820, 2_400
MARGIN = 14
SECONDS = 20.0
BARE = """
.topbar, .sidebar, .composer, .msg-hover-actions { display: none !important }
.app, .body, .main, .messages { display: block !important; height: auto !important;
                                overflow: visible !important }
.main { width: 100% !important }
.modal-overlay { background: #ffffff !important; align-items: flex-start !important }
.modal { width: 780px !important; max-width: 780px !important; max-height: none !important;
         margin: 20px auto !important; border: 1px solid #cccccc !important; box-shadow: none !important }
.modal-body { max-height: none !important; overflow: visible !important }
.msg { background: #ffffff !important; animation: none !important }
.msg-body a { overflow-wrap: anywhere }
.not-drawn { display: block !important; border: 1px solid #bbbbbb; border-radius: 4px; padding: 7px 12px;
             font-size: 15px; color: #333333 }
"""
_ARRANGE = """
(() => {
  const style = document.createElement('style'); style.textContent = %(css)s;
  document.head.append(style);
  const kept = new Set(%(kept)s);
  for (const one of document.querySelectorAll('.msg'))
    if (kept.size && !kept.has(one.dataset.ts)) one.style.display = 'none';
  for (const one of document.querySelectorAll('.modal-body *'))
    if (!one.children.length && one.textContent.trim() === '[multi_static_select]') {
      one.className = 'not-drawn'; one.removeAttribute('style'); one.textContent = 'Select';
    }
  const box = document.querySelector(%(what)s);
  if (!box) return null;
  if (%(what)s === '.main') {
    const all = [...document.querySelectorAll('.msg')].filter(one => one.style.display !== 'none');
    if (!all.length) return null;
    const end = Math.max(...all.map(one => one.getBoundingClientRect().bottom));
    return [0, 0, innerWidth, end + %(margin)d];
  }
  const r = box.getBoundingClientRect();
  return [r.left - %(margin)d, r.top - %(margin)d, r.width + 2 * %(margin)d, r.height + 2 * %(margin)d];
})()
"""


class Camera:
    """Chromium, headless, in Tokyo's time. Skips the running test if there is none."""

    async def __aenter__(self) -> Self:
        async with contextlib.AsyncExitStack() as stack:
            profile = stack.enter_context(
                tempfile.TemporaryDirectory(prefix="camera-", ignore_cleanup_errors=True)
            )
            self._process = await asyncio.create_subprocess_exec(
                chromium(),
                *ARGUMENTS,
                "--remote-debugging-port=0",
                "--remote-debugging-address=127.0.0.1",
                f"--user-data-dir={profile}",
                "about:blank",
                stdout=asyncio.subprocess.DEVNULL,
                stderr=asyncio.subprocess.PIPE,
                env=os.environ | {"TZ": "Asia/Tokyo"},
            )
            stack.push_async_callback(self._end)
            address = await asyncio.wait_for(self._address(), SECONDS)
            session = await stack.enter_async_context(aiohttp.ClientSession(address))
            async with session.put("/json/new?about:blank") as answer:
                page = await answer.json()
            self._page = await stack.enter_async_context(
                session.ws_connect(page["webSocketDebuggerUrl"], max_msg_size=0)
            )
            self._stack = stack.pop_all()
        self._asked = 0
        await self._call(
            "Emulation.setDeviceMetricsOverride",
            width=WIDTH,
            height=HEIGHT,
            deviceScaleFactor=1,
            mobile=False,
        )
        return self

    async def __aexit__(self, *_: object) -> None:
        await self._stack.aclose()

    async def messages(self, url: str, to: Path, kept: Sequence[str]) -> None:
        """The head of the conversation and the messages with these ts."""
        await self._take(url, to, ".main", kept)

    async def modal(self, url: str, to: Path) -> None:
        """The modal that is open."""
        await self._take(url, to, ".modal", ())

    async def _take(self, url: str, to: Path, what: str, kept: Sequence[str]) -> None:
        await self._call("Page.navigate", url="about:blank")
        await self._call("Page.navigate", url=url)
        given = {"css": json.dumps(BARE), "what": json.dumps(what), "kept": json.dumps(list(kept))}
        script = _ARRANGE % (given | {"margin": MARGIN})
        async with asyncio.timeout(SECONDS):
            while True:
                await asyncio.sleep(0.7)
                found = await self._call("Runtime.evaluate", expression=script, returnByValue=True)
                if box := (found.get("result") or {}).get("value"):
                    break
        clip = dict(zip(("x", "y", "width", "height"), box, strict=True)) | {"scale": 1}
        shot = await self._call("Page.captureScreenshot", format="png", clip=clip, captureBeyondViewport=True)
        to.write_bytes(base64.b64decode(shot["data"]))

    async def _call(self, method: str, **params: Any) -> dict[str, Any]:
        self._asked += 1
        await self._page.send_json({"id": self._asked, "method": method, "params": params})
        async with asyncio.timeout(SECONDS):
            while True:
                answer = json.loads(await self._page.receive_str())
                if answer.get("id") == self._asked:
                    if "error" in answer:
                        raise DidNotStart(f"{method}: {answer['error'].get('message')}")
                    return dict(answer["result"])

    async def _address(self) -> str:
        assert self._process.stderr is not None
        async for line in self._process.stderr:
            if found := re.search(rb"DevTools listening on ws://([\d.:]+)/", line):
                return f"http://{found[1].decode()}"
        raise DidNotStart("chromium ended")

    async def _end(self) -> None:
        if self._process.returncode is None:
            self._process.terminate()
        await self._process.wait()
