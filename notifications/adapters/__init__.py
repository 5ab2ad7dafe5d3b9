"""Notifications' ports, met with SQL, FCM and APNs."""
