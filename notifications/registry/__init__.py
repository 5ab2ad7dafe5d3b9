"""The register of devices, as operators see it: list, inspect, import, export, clean up, erase."""
