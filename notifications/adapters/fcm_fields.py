"""Fields of FCM's `android` block that content may set; the rest is ours to say."""

ANDROID = frozenset(
    {
        "bandwidth_constrained_ok",
        "collapse_key",
        "direct_boot_ok",
        "notification",
        "priority",
        "restricted_package_name",
        "restricted_satellite_ok",
    }
)

ANDROID_NOTIFICATION = frozenset(
    {
        "body",
        "body_loc_args",
        "body_loc_key",
        "channel_id",
        "click_action",
        "color",
        "default_light_settings",
        "default_sound",
        "default_vibrate_timings",
        "event_time",
        "icon",
        "image",
        "light_settings",
        "local_only",
        "notification_count",
        "notification_priority",
        "proxy",
        "sound",
        "sticky",
        "tag",
        "ticker",
        "title",
        "title_loc_args",
        "title_loc_key",
        "vibrate_timings",
        "visibility",
    }
)
