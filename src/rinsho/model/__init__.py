"""The decoder: its shapes, its cost, its weights on disk."""
