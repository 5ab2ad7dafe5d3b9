"""The provider emulator: FCM with OAuth, APNs over HTTP/2, scripted faults, a record of pushes."""
