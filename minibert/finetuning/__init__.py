"""How labelled text becomes what the head of a task learns from, and its scores become answers again."""
