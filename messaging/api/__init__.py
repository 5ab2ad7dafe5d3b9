"""The server API: what the application's own back end asks of channels and connections."""
