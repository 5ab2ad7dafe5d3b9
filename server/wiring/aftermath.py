"""What became of reminders, found where the kernel and notifications keep it."""

from collections.abc import Mapping, Sequence

from kernel.adapters.database import Database
from kernel.adapters.outbox_fates import EntryFate, Fate, fates_of
from kernel.ids import UserId
from kernel.notices import entry_key
from notifications.adapters.sql_stories import PushStory, Story, stories_of
from notifications.planning import notification_id
from reminders.aftermath import Attempted, OnDevice, Reported, Standing, Told


class SqlAftermath:
    """Meets reminders' port `Aftermath`."""

    def __init__(self, database: Database) -> None:
        self._database = database

    async def of(self, user_id: UserId, keys: Sequence[str]) -> Mapping[str, Told]:
        ids = {key: notification_id(key, user_id) for key in keys}
        stories = await stories_of(self._database, list(ids.values()))
        untold = [key for key in keys if ids[key] not in stories]
        fates = await fates_of(self._database, [entry_key(key) for key in untold])
        told: dict[str, Told] = {}
        for key in keys:
            story, fate = stories.get(ids[key]), fates.get(entry_key(key))
            if story is not None:
                told[key] = _told(key, story)
            elif fate is not None and fate.fate is not Fate.HANDLED:
                told[key] = _on_its_way(key, fate)
        return told


def _on_its_way(key: str, fate: EntryFate) -> Told:
    standing = Standing.FAILED if fate.fate is Fate.BURIED else Standing.WAITING
    return Told(key, standing, fate.error)


def _told(key: str, story: Story) -> Told:
    return Told(
        key=key,
        standing=Standing.TOLD,
        notification_id=story.notification.id,
        at=story.notification.created_at,
        devices=[_on_device(each) for each in story.pushes],
    )


def _on_device(story: PushStory) -> OnDevice:
    push = story.push
    return OnDevice(
        push_id=push.id,
        device_id=push.device_id,
        platform=story.platform,
        state=push.state,
        reason=push.reason,
        attempts=[Attempted(each.verdict, each.reason, each.settled_at) for each in push.attempts],
        reports=[Reported(each.event, each.at) for each in story.reports],
    )
