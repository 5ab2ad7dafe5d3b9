"""An operator asks why somebody would be told: a running house, asked by the command."""

from pathlib import Path

from tests.flows.test_operators import zaffa
from tests.support.running import RunningHouse

PHONE = {
    "installation_id": "0123456789abcdef",
    "address_kind": "fcm_token",
    "address": "karims-phone",
    "platform": "android",
    "locale": "ar",
    "time_zone": "Africa/Algiers",
}
AGREED = {"category": "marketing", "given": True, "text_version": "2026-01"}


async def test_the_command_says_what_every_rule_says(tmp_path: Path):
    async with RunningHouse.start(tmp_path) as house:
        await house.call("POST", "/v1/devices", user="karim", body=PHONE)
        ask = ("push", "explain", "--user", "karim", "--category", "marketing")

        refused = await zaffa(house, *ask)
        await house.call("POST", "/v1/consents", user="karim", body=AGREED)
        held = await zaffa(house, *ask)

    assert refused[0] == "marketing (transactional) for karim"
    assert "would not be sent (no_consent)" in refused[1]
    assert any("never agreed to marketing" in line for line in refused)
    assert any("agreed on" in line and "2026-01" in line for line in held)
    assert [line.split()[0] for line in held[2:]] == [
        "time",
        "device",
        "alarm",
        "consent",
        "category",
        "mute",
        "quiet_hours",
        "frequency",
        "pace",
    ]
