"""What a repository's code says about parallel work: who imports whom, what is shared, how it divides into streams.

Pure functions over the facts of files (``pucs.syntax.facts``), which come in as arguments; nothing here reads a disk, and
nothing analysed is imported or executed. What is resolved at run time (plugins, names in strings, ``getattr``) is not seen.
"""
