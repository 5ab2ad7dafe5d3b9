"""What each command is for, in a sentence: known without loading any of them."""

from collections.abc import Mapping

SENTENCES: Mapping[str, str] = {
    "serve": "Run the server.",
    "db": "Create, upgrade and check the database's tables.",
    "token": "Issue an access token for a user, for development.",
    "key": "Create, list and revoke API keys.",
    "apps": "Keep several apps with their own credentials, and change those without a restart.",
    "providers": "Ask FCM, APNs and Web Push whether they take the credentials.",
    "devices": "List, inspect, import and export devices, and erase a user.",
    "vapid": "Make the key that proves who sends to browsers, and show its public half.",
    "sandbox": "Emulate FCM, APNs and Web Push, and watch what arrives.",
    "demo": "Fill the database with people, conversations, devices and a wedding.",
    "chat": "Talk in the terminal.",
    "nodes": "List the nodes that hold connections, and what they hold.",
    "channels": "See who listens where, publish, read and remove histories.",
    "users": "See who is there, and keep users and tokens out.",
    "push": "Send pushes, see what became of them, stop them, and try again what died.",
    "campaigns": "See campaigns, start, pause, resume and cancel them.",
    "templates": "See, write and publish what notifications say.",
    "audit": "Read who did what to what, and when.",
    "reminders": "See what users will be told when and why, and hold it back.",
    "trace": "Watch what a user or a channel does, as it happens.",
    "doctor": "Check settings and everything they point to, and say what to do.",
}


def short(name: str) -> str:
    """The sentence as it stands in a list."""
    sentence = SENTENCES[name]
    return sentence[:1].lower() + sentence[1:].rstrip(".")
