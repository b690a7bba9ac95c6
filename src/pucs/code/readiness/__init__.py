"""What should be put in order before many agents work on the code at once; one module for each family of findings."""
