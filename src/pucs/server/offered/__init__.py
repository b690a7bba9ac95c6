"""What models can ask for: one function per tool, named like the client's method, with a description made for models.

Each takes the turn first, then what the model fills in; the docstring is what the model reads.
"""
