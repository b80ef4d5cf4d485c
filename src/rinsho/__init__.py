"""rinsho: small Japanese clinical language models, from raw text to a local answer."""

__version__ = "0.1.0"
