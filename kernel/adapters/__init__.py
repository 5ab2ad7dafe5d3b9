"""The kernel's ports, met with SQLAlchemy, Redis, JSON Web Tokens and plain memory."""
