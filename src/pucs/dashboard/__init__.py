"""What people look at; it reads documents of the client and knows nothing of store, git or verbs."""
