"""What the bytes of a file define, and which definitions an edit changes; nothing analysed is imported or executed."""
