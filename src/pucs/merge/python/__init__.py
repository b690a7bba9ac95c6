"""Python under merge: imports, definitions, statements, names."""
