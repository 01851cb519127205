"""The guest's side: the standard library only, and little of it, as imports are slow there."""
