"""Sends: what servers may have pushed, watch and stop."""

from collections.abc import AsyncIterator, Collection, Mapping, Sequence
from datetime import datetime, timedelta
from uuid import UUID

from kernel.clock import Clock
from kernel.errors import InvalidInput, Refusal
from kernel.identity import Principal, Scope
from kernel.ids import UserId
from kernel.paging import Page, cursor_of, id_in
from kernel.workers import Pulse, Stop, repeat
from notifications.audit.types import deed_of
from notifications.errors import (
    AppNotFound,
    DeviceNotFound,
    IdempotencyMismatch,
    ListNotFound,
    NotificationNotFound,
    SendNotFound,
    SendsLimited,
)
from notifications.ports import PushLedger
from notifications.pushes import Notification, PushRecord, PushState
from notifications.sends.drafting import checked, draft_of, notice_of, send_id_of, users_of
from notifications.sends.limits import Excess, Limit
from notifications.sends.ports import ListStore, SendLedger, SendLimits, SendStore
from notifications.sends.types import Draft, Request, Send, SentPush, Status, status_of
from notifications.templates.shelf import Shelf

BATCH = 1000
"""Sends in one batch, at most."""

PAGE = 200
"""Items in one page of a listing, at most."""

CHUNK = 1000
"""Pushes stopped in one transaction."""

FOLLOW_SECONDS = 1.0
"""Rest between two looks at a send that is followed."""


class Sends:
    """What servers may do with sends. `pulse` wakes the relay, `expanding` the worker."""

    def __init__(
        self,
        *,
        store: SendStore,
        ledger: SendLedger,
        lists: ListStore,
        pushes: PushLedger,
        shelf: Shelf,
        limits: SendLimits,
        clock: Clock,
        pulse: Pulse,
        expanding: Pulse,
    ) -> None:
        self._limits = limits
        self._store = store
        self._ledger = ledger
        self._lists = lists
        self._pushes = pushes
        self._shelf = shelf
        self._clock = clock
        self._pulse = pulse
        self._expanding = expanding

    async def send(self, principal: Principal, request: Request) -> Send:
        """Have users told something; their notifications exist soon after.

        Asking again with the same key changes nothing; with the same key and another request
        it is refused.
        """
        (answer,) = await self.send_many(principal, [request])
        if isinstance(answer, Refusal):
            raise answer
        return answer

    async def send_many(
        self, principal: Principal, requests: Sequence[Request]
    ) -> Sequence[Send | Refusal]:
        """The same for many at once; each is taken or refused by itself."""
        principal.require(Scope.PUSHES)
        if not 1 <= len(requests) <= BATCH:
            raise InvalidInput("sends", f"must hold 1 to {BATCH}")
        answers: list[Send | Refusal] = []
        drafts: list[Draft] = []
        owners = await self._owners(requests)
        sound: list[Draft | Refusal] = []
        for request in requests:
            try:
                sound.append(await self._draft(principal, request, owners))
            except Refusal as refusal:
                sound.append(refusal)
        for each in await self._within_limits(principal, sound, owners):
            answers.append(each if isinstance(each, Refusal) else each.send)
            drafts += () if isinstance(each, Refusal) else (each,)
        if drafts:
            kept = iter(await self._store.submit(drafts, now=self._clock.now()))
            for place, answer in enumerate(answers):
                if isinstance(answer, Send) and not next(kept):
                    key = answer.idempotency_key
                    answers[place] = IdempotencyMismatch(
                        "This idempotency key sent something else.", key=key
                    )
            self._pulse.beat()
            self._expanding.beat()
        return answers

    async def notification(
        self, principal: Principal, either_id: UUID
    ) -> tuple[Notification, Sequence[PushRecord]]:
        """What became of a notification, by its own id or that of one of its pushes."""
        principal.require(Scope.PUSHES)
        found = await self._pushes.notification(either_id)
        if found is None:
            raise NotificationNotFound("No notification and no push has this id.")
        return found

    async def status(self, principal: Principal, send_id: UUID) -> Status:
        """A send and what came of it so far."""
        principal.require(Scope.PUSHES)
        send = await self._ledger.get(send_id)
        if send is None:
            raise SendNotFound("There is no such send, or it was pruned long ago.")
        return status_of(send, await self._ledger.tally(send_id), now=self._clock.now())

    async def follow(self, principal: Principal, send_id: UUID) -> AsyncIterator[Status]:
        """Its status now and whenever it changed, until it is over."""
        status = await self.status(principal, send_id)
        return self._following(principal, status)

    async def _following(self, principal: Principal, status: Status) -> AsyncIterator[Status]:
        yield status
        while not status.is_over:
            await self._clock.sleep(FOLLOW_SECONDS)
            newer = await self.status(principal, status.send.id)
            if newer != status:
                yield newer
            status = newer

    async def recent(self, principal: Principal, *, cursor: str | None, limit: int) -> Page[Send]:
        """Sends, newest first."""
        principal.require(Scope.PUSHES)
        before = None if cursor is None else id_in(cursor)
        found = await self._ledger.page(before=before, limit=limit + 1)
        more = len(found) > limit
        return Page(found[:limit], cursor_of(str(found[limit - 1].id)) if more else None)

    async def pushes(
        self,
        principal: Principal,
        send_id: UUID,
        *,
        states: Collection[PushState],
        cursor: str | None,
        limit: int,
    ) -> Page[SentPush]:
        """What came of a send on each device."""
        await self.status(principal, send_id)
        after = None if cursor is None else id_in(cursor)
        found = await self._ledger.pushes(send_id, states=states, after=after, limit=limit + 1)
        more = len(found) > limit
        return Page(found[:limit], cursor_of(str(found[limit - 1].push.id)) if more else None)

    async def cancel(self, principal: Principal, send_id: UUID) -> Status:
        """Stop what has not left yet. What is under way still lands, and is told as it did."""
        principal.require(Scope.PUSHES)
        now = self._clock.now()
        deed = deed_of(principal, "push.cancelled", f"send:{send_id}")
        if await self._store.cancel(send_id, now=now, deed=deed) is None:
            raise SendNotFound("There is no such send, or it was pruned long ago.")
        while await self._store.stop(now=now, limit=CHUNK):
            pass
        self._expanding.beat()
        return await self.status(principal, send_id)

    async def _within_limits(
        self,
        principal: Principal,
        drafts: Sequence[Draft | Refusal],
        owners: Mapping[UUID, UserId],
    ) -> Sequence[Draft | Refusal]:
        """The same, with a refusal in place of each that is too much at once."""
        assert principal.key_id is not None, "only servers send"
        sound = [each for each in drafts if isinstance(each, Draft)]
        users = [users_of(each.send.audience, owners) for each in sound]
        excesses = iter(await self._limits.take(principal.key_id, users) if sound else ())
        return [
            each if isinstance(each, Refusal) else _within(each, next(excesses)) for each in drafts
        ]

    async def _owners(self, requests: Sequence[Request]) -> Mapping[UUID, UserId]:
        device_ids = {each for request in requests for each in request.audience.device_ids}
        return await self._store.owners(sorted(device_ids)) if device_ids else {}

    async def _draft(
        self, principal: Principal, request: Request, owners: Mapping[UUID, UserId]
    ) -> Draft:
        now = self._clock.now()
        draft = await drafted(
            principal, request, owners, store=self._store, shelf=self._shelf, now=now
        )
        audience = draft.send.audience
        if audience.list_id and await self._lists.size(audience.list_id) is None:
            raise ListNotFound("There is no such list.", list_id=audience.list_id)
        if audience.device_ids and not draft.send.targeted:
            raise DeviceNotFound("There is none of these devices.")
        return draft


def _within(draft: Draft, excess: Excess | None) -> Draft | Refusal:
    if excess is None:
        return draft
    whose = "to this user" if excess.limit is Limit.USER else "with this API key"
    return SendsLimited(
        f"Too much is sent {whose} at the moment.",
        limit=excess.limit,
        retry_after=excess.retry_after,
        user_id=excess.user_id or "",
    )


async def drafted(
    principal: Principal,
    request: Request,
    owners: Mapping[UUID, UserId],
    *,
    store: SendStore,
    shelf: Shelf,
    now: datetime,
) -> Draft:
    """The send that a request means, worded from the shelf. Raises what sending would."""
    sound = checked(request)
    if not await store.has_app(sound.audience.app_id):
        raise AppNotFound("There is no such app.", app_id=sound.audience.app_id)
    words = notice_of(sound, send_id_of(principal, sound.idempotency_key), now=now)
    return draft_of(principal, sound, await shelf.of(words), owners, now=now)


class SendWorker:
    """Hands sends on to the users of their lists, and stops what was cancelled.

    Safe to run many times. `pulse` beats when a send came in this process, `handed` is beaten
    when there is something for the relay.
    """

    name = "sends"

    def __init__(
        self, *, store: SendStore, clock: Clock, pulse: Pulse, handed: Pulse, kept: timedelta
    ) -> None:
        self._store = store
        self._clock = clock
        self._pulse = pulse
        self._handed = handed
        self._kept = kept
        self._pruned_at = float("-inf")

    async def run(self, stop: Stop) -> None:
        await repeat(self.step, clock=self._clock, stop=stop, idle=1.0, pulse=self._pulse)

    async def step(self) -> int:
        """Hand on one portion and stop one; 0 when all is done."""
        now = self._clock.now()
        stopped = await self._store.stop(now=now, limit=CHUNK)
        handed = await self._store.expand(now=now, limit=CHUNK)
        if handed:
            self._handed.beat()
        if self._clock.monotonic() - self._pruned_at >= _SELDOM:
            self._pruned_at = self._clock.monotonic()
            await self._store.prune(before=now - self._kept, limit=CHUNK)
        return stopped + handed


_SELDOM = 60.0
