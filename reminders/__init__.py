"""Speaking up in time: events, their tasks, and rules about when to remind whom."""
