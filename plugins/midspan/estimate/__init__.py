"""How long will it take: small models that learn from one measurement at a time. Pure Python, no dependency."""
