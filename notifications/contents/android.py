"""Fields of FCM's `android` block that content may set; the rest is ours to say."""

from typing import Annotated, Literal

import msgspec
from msgspec import UNSET, Meta, UnsetType

from notifications.contents.words import Body, Count, Data, Line, Picture, Share, names_of

Duration = Annotated[str, Meta(pattern=r"^\d{1,6}(\.\d{1,9})?s$")]


class LightColor(msgspec.Struct, forbid_unknown_fields=True, omit_defaults=True):
    """A colour, each part of it from 0 to 1."""

    red: Share = 0.0
    green: Share = 0.0
    blue: Share = 0.0
    alpha: Share = 0.0


class LightSettings(msgspec.Struct, forbid_unknown_fields=True):
    """How the phone's light blinks."""

    color: LightColor
    light_on_duration: Duration
    light_off_duration: Duration


class AndroidNotification(msgspec.Struct, forbid_unknown_fields=True, omit_defaults=True):
    """How Android shows it."""

    title: Line | UnsetType = UNSET
    body: Body | UnsetType = UNSET
    icon: Line | UnsetType = UNSET
    color: Annotated[str, Meta(pattern="^#[0-9a-fA-F]{6}$")] | UnsetType = UNSET
    sound: Line | UnsetType = UNSET
    tag: Line | UnsetType = UNSET
    click_action: Line | UnsetType = UNSET
    body_loc_key: Line | UnsetType = UNSET
    body_loc_args: list[Line] | UnsetType = UNSET
    title_loc_key: Line | UnsetType = UNSET
    title_loc_args: list[Line] | UnsetType = UNSET
    channel_id: Line | UnsetType = UNSET
    ticker: Line | UnsetType = UNSET
    sticky: bool | UnsetType = UNSET
    event_time: (
        Annotated[str, Meta(pattern=r"^\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d(\.\d{1,9})?Z$")] | UnsetType
    ) = UNSET
    local_only: bool | UnsetType = UNSET
    notification_priority: (
        Literal["PRIORITY_MIN", "PRIORITY_LOW", "PRIORITY_DEFAULT", "PRIORITY_HIGH", "PRIORITY_MAX"]
        | UnsetType
    ) = UNSET
    default_sound: bool | UnsetType = UNSET
    default_vibrate_timings: bool | UnsetType = UNSET
    default_light_settings: bool | UnsetType = UNSET
    vibrate_timings: Annotated[list[Duration], Meta(max_length=32)] | UnsetType = UNSET
    visibility: Literal["PRIVATE", "PUBLIC", "SECRET"] | UnsetType = UNSET
    notification_count: Count | UnsetType = UNSET
    light_settings: LightSettings | UnsetType = UNSET
    image: Picture | UnsetType = UNSET
    proxy: Literal["ALLOW", "DENY", "IF_PRIORITY_LOWERED"] | UnsetType = UNSET


class AndroidOptions(msgspec.Struct, forbid_unknown_fields=True, omit_defaults=True):
    """How FCM counts it on Android, in place of the label of all platforms."""

    analytics_label: Annotated[str, Meta(pattern=r"^[a-zA-Z0-9\-_.~%]{1,50}$")] | UnsetType = UNSET


class Android(msgspec.Struct, forbid_unknown_fields=True, omit_defaults=True):
    """How FCM treats it on its way to Android."""

    priority: Literal["NORMAL", "HIGH"] | UnsetType = UNSET
    collapse_key: Annotated[str, Meta(max_length=64)] | UnsetType = UNSET
    restricted_package_name: Line | UnsetType = UNSET
    direct_boot_ok: bool | UnsetType = UNSET
    bandwidth_constrained_ok: bool | UnsetType = UNSET
    restricted_satellite_ok: bool | UnsetType = UNSET
    data: Data | UnsetType = UNSET
    notification: AndroidNotification | UnsetType = UNSET
    fcm_options: AndroidOptions | UnsetType = UNSET


ANDROID = names_of(Android)
ANDROID_NOTIFICATION = names_of(AndroidNotification)
