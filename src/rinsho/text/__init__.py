"""Rules about Japanese strings; they know no documents."""
