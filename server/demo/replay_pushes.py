"""Reads from the sandbox which pushes about a conversation were accepted, while they are."""

from collections.abc import Callable, Mapping

import aiohttp
import msgspec

from kernel.backoff import Backoff
from kernel.clock import Clock
from server.demo.replay_verdict import Arrived

PAGE = 2_000
WAIT = 5
"""Seconds that the sandbox holds a question back while nothing arrives."""


class SandboxSilent(Exception):
    """The sandbox does not answer, or not as a sandbox would."""


class _Push(msgspec.Struct):
    number: int
    provider: str
    address: str
    push_id: str
    title: str
    body: str
    payload: msgspec.Raw
    headers: dict[str, str] = {}


class _Page(msgspec.Struct):
    pushes: list[_Push]
    last: int
    total: int


class _Android(msgspec.Struct):
    collapse_key: str = ""


class _Data(msgspec.Struct):
    conversation_id: str = ""
    offset: str = "0"
    count: str = "1"


class _Message(msgspec.Struct):
    data: _Data = msgspec.field(default_factory=_Data)
    android: _Android = msgspec.field(default_factory=_Android)


class _Fcm(msgspec.Struct):
    message: _Message


class PushRecord:
    """Follows the sandbox's record from `open` on, and notices when it has a hole.

    `arrived` is told of every accepted push about the conversation.
    """

    def __init__(
        self,
        url: str,
        *,
        conversation_id: str,
        arrived: Callable[[Arrived], None],
        clock: Clock,
    ) -> None:
        self.violations: list[str] = []
        self._url = url.rstrip("/") + "/pushes"
        self._conversation_id = conversation_id
        self._arrived = arrived
        self._clock = clock
        self._last = 0

    async def open(self) -> None:
        """Pushes accepted until now are none of ours. Raises `SandboxSilent`."""
        async with aiohttp.ClientSession() as session:
            try:
                page = await self._page(session, {"limit": "1"})
            except (aiohttp.ClientError, TimeoutError, msgspec.MsgspecError) as error:
                raise SandboxSilent(
                    f"The sandbox does not answer at {self._url} ({type(error).__name__}). "
                    "Run `zaffa serve` or `zaffa sandbox run`, or say where it is: --sandbox URL."
                ) from error
            self._last = page.total

    async def follow(self) -> None:
        """Read on until cancelled; a sandbox that went away may come back."""
        backoff, failures = Backoff(first=0.1, cap=2.0), 0
        async with aiohttp.ClientSession() as session:
            while True:
                asked = {"after": str(self._last), "limit": str(PAGE), "wait": str(WAIT)}
                try:
                    page = await self._page(session, asked)
                except (aiohttp.ClientError, TimeoutError):
                    failures += 1
                    await self._clock.sleep(backoff.delay(failures))
                    continue
                failures = 0
                self._take(page)

    async def _page(self, session: aiohttp.ClientSession, asked: Mapping[str, str]) -> _Page:
        timeout = aiohttp.ClientTimeout(total=WAIT + 10)
        async with session.get(self._url, params=asked, timeout=timeout) as answer:
            answer.raise_for_status()
            return _page.decode(await answer.read())

    def _take(self, page: _Page) -> None:
        if page.total < self._last:
            self.violations.append("the sandbox has forgotten its record and begun anew")
            self._last = 0
        for push in page.pushes:
            if push.number != self._last + 1:
                self.violations.append(
                    f"the sandbox forgot pushes {self._last + 1} to {push.number - 1}"
                    " before they were read"
                )
            self._last = push.number
            data, collapse_key = _told(push)
            if data.conversation_id == self._conversation_id:
                self._arrived(
                    Arrived(
                        address=push.address,
                        push_id=push.push_id,
                        collapse_key=collapse_key,
                        offset=int(data.offset),
                        text=f"{push.title}\n{push.body}",
                        messages=int(data.count),
                    )
                )


def _told(push: _Push) -> tuple[_Data, str]:
    """What the app is told beside the texts, and the collapse key."""
    if push.provider == "apns":
        return _data.decode(push.payload), push.headers.get("apns-collapse-id", "")
    message = _fcm.decode(push.payload).message
    return message.data, message.android.collapse_key


_page = msgspec.json.Decoder(_Page)
_data = msgspec.json.Decoder(_Data)
_fcm = msgspec.json.Decoder(_Fcm)
