"""Routes, objectives and the chooser. Pure Python, no dependency."""
