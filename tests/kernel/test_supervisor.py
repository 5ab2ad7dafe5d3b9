import asyncio

import pytest

from kernel.backoff import Backoff
from kernel.supervisor import HEALTHY_AFTER, STEADY_AFTER, Supervisor
from tests.support.metrics import value_of


class Worker:
    """Fails as often as it is told, then works until it is stopped."""

    def __init__(self, name="worker", *, failures=0, error=None):
        self.name = name
        self.failures = failures
        self.error = error or LookupError("a bad day")
        self.runs = 0
        self.working = asyncio.Event()
        self.done = False

    async def run(self, stop):
        self.runs += 1
        if self.failures:
            self.failures -= 1
            raise self.error
        self.working.set()
        await stop.wait()
        self.done = True


@pytest.fixture
def supervise(clock, metrics):
    def supervise(*workers):
        backoff = Backoff(first=1.0, cap=8.0, floor=1.0)
        return Supervisor(workers, clock=clock, metrics=metrics, backoff=backoff)

    return supervise


async def test_workers_run_until_they_are_stopped_and_finish(supervise):
    workers = [Worker("one"), Worker("two")]
    supervisor = supervise(*workers)
    running = asyncio.create_task(supervisor.run())
    for worker in workers:
        await worker.working.wait()

    supervisor.stop()
    await running

    assert all(worker.done for worker in workers)
    assert supervisor.failing == frozenset()


async def test_a_worker_that_fails_is_started_again_after_a_rest(supervise, clock, metrics):
    worker = Worker(failures=1)
    supervisor = supervise(worker)
    async with asyncio.TaskGroup() as group:
        group.create_task(supervisor.run())
        await clock.asleep()
        assert worker.runs == 1
        assert supervisor.failing == {"worker"}

        clock.move(seconds=1)
        await worker.working.wait()
        assert worker.runs == 2
        assert value_of(metrics, "kernel_worker_restarts_total", worker="worker") == 1

        supervisor.stop()


async def test_the_others_go_on_while_one_fails(supervise, clock):
    healthy, ill = Worker("healthy"), Worker("ill", failures=100)
    supervisor = supervise(healthy, ill)
    async with asyncio.TaskGroup() as group:
        group.create_task(supervisor.run())
        await healthy.working.wait()
        await clock.asleep(2)
        for _ in range(10):
            clock.move(seconds=8)
            while ill.runs < 2:
                await clock.sleep(0)

        assert not healthy.done
        assert supervisor.failing == {"ill"}
        supervisor.stop()

    assert healthy.done


async def test_rests_grow_while_it_keeps_failing(supervise, clock, caplog):
    worker = Worker(failures=100)
    supervisor = supervise(worker)
    async with asyncio.TaskGroup() as group:
        group.create_task(supervisor.run())
        for _ in range(5):
            await clock.asleep()
            clock.move(seconds=8)
            await clock.sleep(0)
            await clock.asleep()
        supervisor.stop()

    rests = [record.restart_in for record in caplog.records if record.msg == "worker failed"]
    assert rests[0] == 1.0
    assert max(rests) > 1.0
    assert max(rests) <= 8.0


async def test_stopping_ends_a_rest_after_a_failure(supervise, clock):
    worker = Worker(failures=1)
    supervisor = supervise(worker)
    running = asyncio.create_task(supervisor.run())
    await clock.asleep()

    supervisor.stop()
    await running

    assert worker.runs == 1


async def test_a_worker_that_works_for_a_moment_no_longer_counts_as_failing(supervise, clock):
    worker = Worker(failures=1)
    supervisor = supervise(worker)
    async with asyncio.TaskGroup() as group:
        group.create_task(supervisor.run())
        await clock.asleep()
        clock.move(seconds=1)
        await worker.working.wait()
        assert supervisor.failing == {"worker"}

        await clock.asleep()
        clock.move(seconds=STEADY_AFTER)
        while supervisor.failing:
            await clock.sleep(0)
        supervisor.stop()


async def test_a_failure_after_long_health_is_the_first_again(supervise, clock, caplog):
    again = asyncio.Event()

    class Late(Worker):
        async def run(self, stop):
            self.runs += 1
            if self.runs <= 3:
                raise self.error
            await asyncio.wait(
                [asyncio.create_task(stop.wait()), asyncio.create_task(again.wait())],
                return_when=asyncio.FIRST_COMPLETED,
            )
            if not stop.asked:
                again.clear()
                raise self.error

    worker = Late()
    supervisor = supervise(worker)
    async with asyncio.TaskGroup() as group:
        group.create_task(supervisor.run())
        while worker.runs < 4:
            await clock.asleep()
            clock.move(seconds=8)
            await clock.sleep(0)
        clock.move(seconds=HEALTHY_AFTER + 1)
        again.set()
        while len(caplog.records) < 4:
            await clock.sleep(0)
        assert caplog.records[-1].restart_in == 1.0
        supervisor.stop()


@pytest.mark.parametrize("error", [asyncio.CancelledError(), TimeoutError(), AssertionError()])
async def test_no_kind_of_failure_loses_a_worker(supervise, clock, error):
    worker = Worker(failures=1, error=error)
    supervisor = supervise(worker)
    async with asyncio.TaskGroup() as group:
        group.create_task(supervisor.run())
        await clock.asleep()
        clock.move(seconds=1)
        await worker.working.wait()
        supervisor.stop()


async def test_returning_without_being_asked_is_a_failure(supervise, clock, caplog):
    class Quitter(Worker):
        async def run(self, stop):
            self.runs += 1
            if self.runs == 1:
                return
            await super().run(stop)

    worker = Quitter()
    supervisor = supervise(worker)
    async with asyncio.TaskGroup() as group:
        group.create_task(supervisor.run())
        await clock.asleep()
        clock.move(seconds=1)
        await worker.working.wait()
        supervisor.stop()

    assert "without being asked" in caplog.text


async def test_who_was_stopped_before_starts_nothing(supervise):
    worker = Worker()
    supervisor = supervise(worker)

    supervisor.stop()
    await supervisor.run()

    assert worker.runs == 0


async def test_cancelling_the_supervisor_cancels_its_workers(supervise):
    worker = Worker()
    running = asyncio.create_task(supervise(worker).run())
    await worker.working.wait()

    running.cancel()
    with pytest.raises(asyncio.CancelledError):
        await running

    assert not worker.done
