"""What asks a model: scoring and generating token ids."""
