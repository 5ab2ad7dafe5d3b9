"""Voices: what the users of some notices have said, asked once for all of them."""

from collections.abc import Sequence

from kernel.ids import UserId
from kernel.notices import Notice
from notifications.deciding.categories import USUAL, Rulebook
from notifications.deciding.types import Ramadan, Said
from notifications.preferences.ports import Mutes, PreferenceStore, RamadanStore


class Voices:
    """Who decides about many users asks here."""

    def __init__(
        self,
        *,
        preferences: PreferenceStore,
        ramadans: RamadanStore,
        mutes: Mutes,
        rulebook: Rulebook = USUAL,
    ) -> None:
        self._preferences = preferences
        self._ramadans = ramadans
        self._mutes = mutes
        self.rulebook = rulebook
        """What holds where they have said nothing."""

    async def calendar(self) -> Sequence[Ramadan]:
        """When Ramadan is."""
        return await self._ramadans.ramadans()

    async def muting(self, thread: str, users: Sequence[UserId]) -> Sequence[UserId]:
        """Those of the users who have muted a thread."""
        muted = await self._mutes.muted({(thread, user_id) for user_id in users})
        return [user_id for _, user_id in muted]

    async def about(self, notices: Sequence[Notice]) -> Said:
        """What their users have said, and which of their threads they have muted."""
        users = {user_id for notice in notices for user_id in notice.user_ids}
        preferences = await self._preferences.of_users(sorted(users))
        threads = {
            (notice.thread, user_id)
            for notice in notices
            if notice.thread
            for user_id in notice.user_ids
        }
        dated = any(each.follows_ramadan for each in preferences.values())
        return Said(
            preferences=preferences,
            ramadans=await self._ramadans.ramadans() if dated else (),
            muted=await self._mutes.muted(threads) if threads else (),
        )
