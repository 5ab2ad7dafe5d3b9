"""Calendar feeds: what somebody may see of events, for the calendar apps that they use."""
