"""Sessions, streams, boundaries, merge phases and the configuration that names them (000 §2, §10; 002 §2.2)."""
