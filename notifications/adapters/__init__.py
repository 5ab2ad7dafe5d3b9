"""Notifications' ports, met with SQL, FCM, APNs and Web Push."""
