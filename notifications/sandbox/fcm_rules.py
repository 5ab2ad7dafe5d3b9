"""What FCM accepts as a message. Pure: JSON in, the first violation out."""

import re
from dataclasses import dataclass
from typing import Any

PAYLOAD_BYTES = 4096
TOPIC_BYTES = 2048
_TARGETS = ("token", "fid", "topic", "condition")
_TOKEN = re.compile(r"[A-Za-z0-9_.:~%\-]{8,4096}\Z")
_TOPIC = re.compile(r"[a-zA-Z0-9\-_.~%]+\Z")
_IN_TOPICS = re.compile(r"'[a-zA-Z0-9\-_.~%]+' in topics")
_LOGIC = re.compile(r"[\s()!?]*(?:(?:&&|\|\|)[\s()!?]*)*\Z")
_TOPICS_AT_ONCE = 5
_ACTIVITY = re.compile(r"[0-9a-fA-F]{2,400}\Z")
_LABEL = re.compile(r"[a-zA-Z0-9\-_.~%]{1,50}\Z")
_DURATION = re.compile(r"(\d+)(\.\d{1,9})?s\Z")
_LONGEST_TTL = 2_419_200
_RESERVED = frozenset({"from", "message_type"})
_BIG = "Android message is too big"

_MESSAGE = frozenset(
    {"name", *_TARGETS, "notification", "data", "android", "apns", "webpush", "fcm_options"}
)
_NOTIFICATION = frozenset({"title", "body", "image"})
_ANDROID = frozenset(
    {
        "priority",
        "ttl",
        "collapse_key",
        "restricted_package_name",
        "direct_boot_ok",
        "bandwidth_constrained_ok",
        "restricted_satellite_ok",
        "data",
        "notification",
        "fcm_options",
    }
)
_ANDROID_NOTIFICATION = frozenset(
    {
        "title",
        "body",
        "icon",
        "color",
        "sound",
        "tag",
        "click_action",
        "body_loc_key",
        "body_loc_args",
        "title_loc_key",
        "title_loc_args",
        "channel_id",
        "ticker",
        "sticky",
        "event_time",
        "local_only",
        "notification_priority",
        "default_sound",
        "default_vibrate_timings",
        "default_light_settings",
        "vibrate_timings",
        "visibility",
        "notification_count",
        "light_settings",
        "image",
        "proxy",
    }
)
_APNS = frozenset({"headers", "payload", "live_activity_token", "fcm_options"})
_WEBPUSH = frozenset({"headers", "data", "notification", "fcm_options"})
_LABELS = frozenset({"analytics_label"})
_OPTIONS = {"apns": _LABELS | {"image"}, "webpush": _LABELS | {"link"}}
_CAMEL = re.compile(r"(?<=[a-z0-9])([A-Z])")


@dataclass(frozen=True, slots=True)
class Message:
    """A message that FCM would take."""

    target: str
    address: str
    title: str
    body: str
    push_id: str


@dataclass(frozen=True, slots=True)
class Violation:
    """Why FCM refuses a message. Without a `field` the error has no details."""

    description: str
    field: str = ""


def check(message: object) -> Message | Violation:
    """The message as FCM understands it, or what is wrong with it."""
    try:
        return _checked(message)
    except _Wrong as wrong:
        return wrong.violation


class _Wrong(Exception):
    def __init__(self, description: str, field: str = "") -> None:
        super().__init__(description)
        self.violation = Violation(description, field)


def _checked(value: object) -> Message:
    message = _fields(value, "message", _MESSAGE)
    targets = [name for name in _TARGETS if message.get(name)]
    if len(targets) != 1:
        raise _Wrong("Exactly one of fid, token, topic or condition must be set.", "message")
    target = targets[0]
    address = _text(message[target], f"message.{target}")
    if target in ("token", "fid") and not _TOKEN.match(address):
        raise _Wrong(
            "The registration token is not a valid FCM registration token", f"message.{target}"
        )
    if target == "topic" and not _TOPIC.match(address):
        raise _Wrong("Invalid topic name.", "message.topic")
    if target == "condition":
        _check_condition(address)
    notification = _fields(message.get("notification", {}), "message.notification", _NOTIFICATION)
    texts = {
        name: _text(text, f"message.notification.{name}") for name, text in notification.items()
    }
    data = _data(message.get("data", {}), "message.data")
    size = _bytes(texts) + _bytes(data)
    if size > (TOPIC_BYTES if target in ("topic", "condition") else PAYLOAD_BYTES):
        raise _Wrong(_BIG)
    _check_label(message.get("fcm_options"), "message.fcm_options")
    _check_android(message.get("android"))
    for name, known in (("apns", _APNS), ("webpush", _WEBPUSH)):
        if name in message:
            block = _fields(message[name], f"message.{name}", known)
            _data(block.get("headers", {}), f"message.{name}.headers", reserved=frozenset())
            _check_activity(block)
            _check_label(block.get("fcm_options"), f"message.{name}.fcm_options", _OPTIONS[name])
    return Message(
        target=target,
        address=address,
        title=texts.get("title", ""),
        body=texts.get("body", ""),
        push_id=data.get("push_id", ""),
    )


def _check_condition(formula: str) -> None:
    """One to five topics, joined by `&&`, `||` and `!`."""
    topics = len(_IN_TOPICS.findall(formula))
    between = _IN_TOPICS.sub("?", formula)
    if not 1 <= topics <= _TOPICS_AT_ONCE or not _LOGIC.match(between):
        raise _Wrong("Invalid condition expression provided.", "message.condition")


def _check_android(value: object) -> None:
    if value is None:
        return
    android = _fields(value, "message.android", _ANDROID)
    if "ttl" in android:
        ttl = _DURATION.match(_text(android["ttl"], "message.android.ttl"))
        if ttl is None or int(ttl[1]) > _LONGEST_TTL:
            raise _Wrong("Invalid ttl: a duration of at most 28 days", "message.android.ttl")
    if str(android.get("priority", "HIGH")).upper() not in ("NORMAL", "HIGH"):
        raise _Wrong("Invalid value at 'message.android.priority'", "message.android.priority")
    data = _data(android.get("data", {}), "message.android.data")
    if _bytes(data) > PAYLOAD_BYTES:
        raise _Wrong(_BIG)
    if "notification" in android:
        where = "message.android.notification"
        _fields(android["notification"], where, _ANDROID_NOTIFICATION)
    _check_label(android.get("fcm_options"), "message.android.fcm_options")


def _check_activity(block: dict[str, Any]) -> None:
    if "live_activity_token" in block:
        where = "message.apns.live_activity_token"
        if not _ACTIVITY.match(_text(block["live_activity_token"], where)):
            raise _Wrong("Invalid live activity token.", where)


def _check_label(value: object, where: str, known: frozenset[str] = _LABELS) -> None:
    if value is None:
        return
    options = _fields(value, where, known)
    if not _text(options.get("link", "https://"), f"{where}.link").startswith("https://"):
        raise _Wrong("Only HTTPS links are allowed.", f"{where}.link")
    label = options.get("analytics_label", "")
    if label and not _LABEL.match(_text(label, f"{where}.analytics_label")):
        raise _Wrong("Invalid analytics label.", f"{where}.analytics_label")


def _fields(value: object, where: str, known: frozenset[str]) -> dict[str, Any]:
    """An object's fields by their proto names; JSON may also spell them in camel case."""
    if not isinstance(value, dict):
        raise _Wrong(f"Invalid value at '{where}', an object is expected.", where)
    fields = {}
    for name, content in value.items():
        proper = name if name in known else _CAMEL.sub(r"_\1", name).lower()
        if proper not in known:
            raise _Wrong(
                f"Invalid JSON payload received. Unknown name \"{name}\" at '{where}': "
                "Cannot find field.",
                where,
            )
        fields[proper] = content
    return fields


def _data(value: object, where: str, reserved: frozenset[str] = _RESERVED) -> dict[str, str]:
    if not isinstance(value, dict):
        raise _Wrong(f"Invalid value at '{where}', a map is expected.", where)
    for name, content in value.items():
        if not isinstance(content, str):
            raise _Wrong(
                f"Invalid value at '{where}[{name}]' (TYPE_STRING), {content!r}",
                f"{where}[{name}]",
            )
        if reserved and (name in reserved or name.startswith(("google", "gcm"))):
            raise _Wrong(f"Invalid data payload key: {name}", where)
    return value


def _text(value: object, where: str) -> str:
    if not isinstance(value, str):
        raise _Wrong(f"Invalid value at '{where}' (TYPE_STRING), {value!r}", where)
    return value


def _bytes(texts: dict[str, str]) -> int:
    return sum(len(name.encode()) + len(text.encode()) for name, text in texts.items())
