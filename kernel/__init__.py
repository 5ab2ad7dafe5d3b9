"""What every room may lean on: time, identity, refusals, the bus, the outbox, leases.

The kernel does not know what a message, a push or a reminder is. A thing enters it when at
least two rooms need it and it is free of their words.
"""
