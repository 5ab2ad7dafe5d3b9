"""Every table of every room, for migrations to compare with."""

from sqlalchemy import MetaData

import kernel.adapters.tables
import messaging.adapters.standing_tables
import messaging.adapters.tables
import notifications.adapters.app_tables
import notifications.adapters.audit_tables
import notifications.adapters.preference_tables
import notifications.adapters.report_tables
import notifications.adapters.send_tables
import notifications.adapters.tables
import notifications.adapters.template_tables
import notifications.adapters.thread_tables
import notifications.adapters.webhook_tables
import reminders.adapters.action_tables
import reminders.adapters.alarm_tables
import reminders.adapters.card_tables
import reminders.adapters.digest_tables
import reminders.adapters.feed_tables
import reminders.adapters.guest_tables
import reminders.adapters.tables
from kernel.adapters.database import Row

TABLES = (
    kernel.adapters.tables,
    messaging.adapters.standing_tables,
    messaging.adapters.tables,
    notifications.adapters.app_tables,
    notifications.adapters.audit_tables,
    notifications.adapters.preference_tables,
    notifications.adapters.report_tables,
    notifications.adapters.send_tables,
    notifications.adapters.tables,
    notifications.adapters.thread_tables,
    notifications.adapters.template_tables,
    notifications.adapters.webhook_tables,
    reminders.adapters.digest_tables,
    reminders.adapters.guest_tables,
    reminders.adapters.feed_tables,
    reminders.adapters.action_tables,
    reminders.adapters.alarm_tables,
    reminders.adapters.card_tables,
    reminders.adapters.tables,
)
METADATA: MetaData = Row.metadata
"""Importing `TABLES` has filled it."""
