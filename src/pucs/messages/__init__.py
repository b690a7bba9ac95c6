"""Messages: what agents and the coordinator say to each other, and how its words are shown (000 §6.2; DESIGN §3.10)."""
