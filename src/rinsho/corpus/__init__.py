"""Documents: reading, cleaning, de-duplicating and writing them."""
