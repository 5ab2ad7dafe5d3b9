"""What can be asked of preferences: by users of their own, by servers of anybody's."""

from kernel.errors import Denied, InvalidInput
from kernel.identity import Principal, Scope
from kernel.operations import AnyOperation, Nothing, Operation
from notifications.deciding.types import Ramadan, UserPreferences
from notifications.errors import DeviceNotFound
from notifications.preferences import bodies, schemas
from notifications.preferences.preferences import Preferences
from notifications.preferences.ramadan import Ramadans


def operations(*, preferences: Preferences, ramadans: Ramadans) -> list[AnyOperation]:
    """Everything users and servers may ask about preferences."""
    asking = _Asking(preferences)
    return [*_of_users(asking), *_of_servers(asking), *_of_ramadan(ramadans)]


class _Asking:
    """The same for a user and for a server, which names the user."""

    def __init__(self, preferences: Preferences) -> None:
        self._preferences = preferences

    async def mine(self, principal: Principal, _: Nothing) -> schemas.PreferencesBody:
        return self._body(await self._preferences.get(principal))

    async def of(self, principal: Principal, body: schemas.OfUser) -> schemas.PreferencesBody:
        return self._body(await self._preferences.get(principal, bodies.named(body.user_id)))

    async def choose(
        self, principal: Principal, body: schemas.Choose | schemas.ChooseFor
    ) -> schemas.PreferencesBody:
        return self._body(
            await self._preferences.choose(
                principal,
                body.category,
                enabled=body.enabled,
                device_id=body.device_id,
                user_id=bodies.named(getattr(body, "user_id", None)),
            )
        )

    async def be_quiet(
        self, principal: Principal, body: schemas.PutQuiet | schemas.PutQuietOf
    ) -> schemas.PreferencesBody:
        user_id = bodies.named(getattr(body, "user_id", None))
        wishes = bodies.wishes_of(body)
        return self._body(await self._preferences.be_quiet(principal, wishes, user_id=user_id))

    async def be_told(self, principal: Principal, _: Nothing) -> schemas.PreferencesBody:
        return self._body(await self._preferences.be_quiet(principal, None))

    async def be_told_of(
        self, principal: Principal, body: schemas.OfUser
    ) -> schemas.PreferencesBody:
        user_id = bodies.named(body.user_id)
        return self._body(await self._preferences.be_quiet(principal, None, user_id=user_id))

    async def consent(
        self, principal: Principal, body: schemas.GiveConsent | schemas.GiveConsentFor
    ) -> schemas.PreferencesBody:
        return self._body(
            await self._preferences.consent(
                principal,
                body.category,
                given=body.given,
                text_version=body.text_version,
                source=body.source,
                user_id=bodies.named(getattr(body, "user_id", None)),
            )
        )

    async def my_consents(self, principal: Principal, _: Nothing) -> schemas.ConsentRecords:
        return bodies.records_body(await self._preferences.consents(principal))

    async def consents_of(
        self, principal: Principal, body: schemas.OfUser
    ) -> schemas.ConsentRecords:
        user_id = bodies.named(body.user_id)
        return bodies.records_body(await self._preferences.consents(principal, user_id))

    def _body(self, said: UserPreferences) -> schemas.PreferencesBody:
        return bodies.preferences_body(said, self._preferences.rulebook)


def _of_users(asking: _Asking) -> list[AnyOperation]:
    return [
        Operation(
            name="preferences.get",
            method="GET",
            path="/v1/preferences",
            summary="What you are told of, and when.",
            takes=Nothing,
            gives=schemas.PreferencesBody,
            run=asking.mine,
            rpc=True,
            refusals=(Denied,),
        ),
        Operation(
            name="preferences.choose",
            method="PUT",
            path="/v1/preferences/categories/{category}",
            summary="Opt out of a category or in again, on one device or on all.",
            takes=schemas.Choose,
            gives=schemas.PreferencesBody,
            run=asking.choose,
            rpc=True,
            refusals=(InvalidInput, DeviceNotFound, Denied),
        ),
        Operation(
            name="preferences.put_quiet_hours",
            method="PUT",
            path="/v1/preferences/quiet-hours",
            summary="Say when not to be told what can wait.",
            takes=schemas.PutQuiet,
            gives=schemas.PreferencesBody,
            run=asking.be_quiet,
            rpc=True,
            refusals=(InvalidInput, Denied),
        ),
        Operation(
            name="preferences.delete_quiet_hours",
            method="DELETE",
            path="/v1/preferences/quiet-hours",
            summary="Have no quiet hours any more.",
            takes=Nothing,
            gives=schemas.PreferencesBody,
            run=asking.be_told,
            rpc=True,
            refusals=(Denied,),
        ),
        Operation(
            name="consents.record",
            method="POST",
            path="/v1/consents",
            summary="Agree to a category, or withdraw that.",
            takes=schemas.GiveConsent,
            gives=schemas.PreferencesBody,
            run=asking.consent,
            rpc=True,
            refusals=(InvalidInput, Denied),
        ),
        Operation(
            name="consents.list",
            method="GET",
            path="/v1/consents",
            summary="The record of what you agreed to.",
            takes=Nothing,
            gives=schemas.ConsentRecords,
            run=asking.my_consents,
            rpc=True,
            refusals=(Denied,),
        ),
    ]


def _of_servers(asking: _Asking) -> list[AnyOperation]:
    return [
        Operation(
            name="preferences.get_of",
            method="GET",
            path="/admin/v1/users/{user_id}/preferences",
            summary="What a user is told of, and when.",
            takes=schemas.OfUser,
            gives=schemas.PreferencesBody,
            run=asking.of,
            scope=Scope.PUSHES,
            refusals=(InvalidInput, Denied),
        ),
        Operation(
            name="preferences.choose_for",
            method="PUT",
            path="/admin/v1/users/{user_id}/preferences/categories/{category}",
            summary="Opt a user out of a category or in again.",
            takes=schemas.ChooseFor,
            gives=schemas.PreferencesBody,
            run=asking.choose,
            scope=Scope.PUSHES,
            refusals=(InvalidInput, DeviceNotFound, Denied),
        ),
        Operation(
            name="preferences.put_quiet_hours_of",
            method="PUT",
            path="/admin/v1/users/{user_id}/preferences/quiet-hours",
            summary="Set a user's quiet hours.",
            takes=schemas.PutQuietOf,
            gives=schemas.PreferencesBody,
            run=asking.be_quiet,
            scope=Scope.PUSHES,
            refusals=(InvalidInput, Denied),
        ),
        Operation(
            name="preferences.delete_quiet_hours_of",
            method="DELETE",
            path="/admin/v1/users/{user_id}/preferences/quiet-hours",
            summary="Let a user have no quiet hours any more.",
            takes=schemas.OfUser,
            gives=schemas.PreferencesBody,
            run=asking.be_told_of,
            scope=Scope.PUSHES,
            refusals=(InvalidInput, Denied),
        ),
        Operation(
            name="consents.record_for",
            method="POST",
            path="/admin/v1/users/{user_id}/consents",
            summary="Record that a user agreed to a category, or withdrew that.",
            takes=schemas.GiveConsentFor,
            gives=schemas.PreferencesBody,
            run=asking.consent,
            scope=Scope.PUSHES,
            refusals=(InvalidInput, Denied),
        ),
        Operation(
            name="consents.list_of",
            method="GET",
            path="/admin/v1/users/{user_id}/consents",
            summary="The record of what a user agreed to.",
            takes=schemas.OfUser,
            gives=schemas.ConsentRecords,
            run=asking.consents_of,
            scope=Scope.PUSHES,
            refusals=(InvalidInput, Denied),
        ),
    ]


def _of_ramadan(ramadans: Ramadans) -> list[AnyOperation]:
    async def listed(principal: Principal, _: Nothing) -> schemas.RamadanList:
        return bodies.ramadans_body(await ramadans.all(principal))

    async def put(principal: Principal, body: schemas.PutRamadan) -> schemas.RamadanBody:
        dates = Ramadan(body.year, body.starts_on, body.ends_on, body.announced)
        return bodies.ramadan_body(await ramadans.put(principal, dates))

    async def forget(principal: Principal, body: schemas.OneRamadan) -> Nothing:
        await ramadans.forget(principal, body.year)
        return Nothing()

    return [
        Operation(
            name="ramadans.list",
            method="GET",
            path="/admin/v1/ramadans",
            summary="When Ramadan is, as announced or estimated.",
            takes=Nothing,
            gives=schemas.RamadanList,
            run=listed,
            scope=Scope.PUSHES,
            refusals=(Denied,),
        ),
        Operation(
            name="ramadans.put",
            method="PUT",
            path="/admin/v1/ramadans/{year}",
            summary="Set when Ramadan is in a year of the Hijri calendar.",
            takes=schemas.PutRamadan,
            gives=schemas.RamadanBody,
            run=put,
            scope=Scope.PUSHES,
            refusals=(InvalidInput, Denied),
        ),
        Operation(
            name="ramadans.forget",
            method="DELETE",
            path="/admin/v1/ramadans/{year}",
            summary="Go by the calendar's estimate again in a year.",
            takes=schemas.OneRamadan,
            gives=Nothing,
            run=forget,
            scope=Scope.PUSHES,
            refusals=(InvalidInput, Denied),
        ),
    ]
