"""Whether a push goes out, now, later or never: values, rules and the decision. Pure."""
