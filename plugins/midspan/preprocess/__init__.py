"""From an encoded picture to the tensor that a variant wants."""
