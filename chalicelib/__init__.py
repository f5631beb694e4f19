"""ESR Learning: which training each person must hold, where they stand, and how they get it."""
