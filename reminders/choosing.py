"""What a user chose for one task: the layer above what is usual. Rules of one's own are beside."""

from collections.abc import Sequence
from dataclasses import replace
from uuid import UUID

from kernel.clock import Clock
from kernel.identity import Principal
from kernel.ids import UserId
from kernel.workers import Pulse
from reminders.authority import Act, acting_for_user, check_sees, require, task_on
from reminders.ports import CalendarStore, Change
from reminders.types import Choice, Sheet, Task


class Choosing:
    """Beats `planning`, so that the plan follows at once."""

    def __init__(self, *, store: CalendarStore, clock: Clock, planning: Pulse) -> None:
        self._store = store
        self._clock = clock
        self._planning = planning

    async def choose(
        self,
        principal: Principal,
        event_id: UUID,
        task_id: UUID,
        *,
        usual: bool | None,
        nag: bool,
        user_id: UserId | None = None,
    ) -> Choice:
        """Be told of the task as usual or not, whatever others are; None inherits.

        Without `nag` nothing more is said of it once it is overdue.
        """
        user = acting_for_user(principal, user_id)
        choice = Choice(user, usual, nag)

        def decide(sheet: Sheet) -> Sequence[Change]:
            require(principal, sheet, Act.WORK)
            task = task_on(principal, sheet)
            check_sees(sheet, task, user)
            changed = with_choice(task, choice)
            return [] if changed == task else [changed]

        now = self._clock.now()
        await self._store.change(event_id, decide, now=now, task_id=task_id)
        self._planning.beat()
        return choice


def with_choice(task: Task, choice: Choice) -> Task:
    """The task with what a user chose for it in the place of what they chose before."""
    others = tuple(each for each in task.details.choices if each.user_id != choice.user_id)
    own = () if choice == Choice(choice.user_id) else (choice,)
    choices = (*others, *own)
    if set(choices) == set(task.details.choices):
        return task
    details = replace(task.details, choices=choices)
    return replace(task, details=details, sched_version=task.sched_version + 1)
