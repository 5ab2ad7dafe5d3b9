"""What can be asked about how a user is reminded."""

from kernel.errors import InvalidInput
from kernel.identity import Scope
from kernel.operations import AnyOperation, Nothing, Operation
from reminders import errors, profile_schemas
from reminders.asking import Asking


def profile_operations(asking: Asking) -> list[AnyOperation]:
    """A user's own profile, and for servers anybody's."""
    return [
        Operation(
            name="profile.get",
            method="GET",
            path="/v1/profile",
            summary="How you are reminded: your time zone and language.",
            takes=Nothing,
            gives=profile_schemas.ProfileAnswer,
            run=asking.get_profile,
            rpc=True,
            refusals=(errors.ProfileNotFound,),
        ),
        Operation(
            name="profile.put",
            method="PUT",
            path="/v1/profile",
            summary="Say in which time zone and language you are reminded.",
            takes=profile_schemas.PutProfile,
            gives=profile_schemas.ProfileAnswer,
            run=asking.put_profile,
            rpc=True,
            refusals=(InvalidInput,),
        ),
        Operation(
            name="profile.report_zone",
            method="POST",
            path="/v1/profile/zone",
            summary="Say in which time zone this device is; told again later, it is believed.",
            takes=profile_schemas.ReportZone,
            gives=profile_schemas.ProfileAnswer,
            run=asking.report_zone,
            rpc=True,
            refusals=(InvalidInput, errors.ProfileNotFound),
        ),
        Operation(
            name="profile.report_zone_of",
            method="POST",
            path="/admin/v1/profiles/{user_id}/zone",
            summary="Say in which time zone a user's device is.",
            takes=profile_schemas.ReportZoneOf,
            gives=profile_schemas.ProfileAnswer,
            run=asking.report_zone,
            scope=Scope.REMINDERS,
            refusals=(InvalidInput, errors.ProfileNotFound),
        ),
        Operation(
            name="profile.get_of",
            method="GET",
            path="/admin/v1/profiles/{user_id}",
            summary="How a user is reminded.",
            takes=profile_schemas.OnePerson,
            gives=profile_schemas.ProfileAnswer,
            run=asking.get_profile,
            scope=Scope.REMINDERS,
            refusals=(InvalidInput, errors.ProfileNotFound),
        ),
        Operation(
            name="profile.put_of",
            method="PUT",
            path="/admin/v1/profiles/{user_id}",
            summary="Say in which time zone and language a user is reminded.",
            takes=profile_schemas.PutProfileOf,
            gives=profile_schemas.ProfileAnswer,
            run=asking.put_profile,
            scope=Scope.REMINDERS,
            refusals=(InvalidInput,),
        ),
    ]
