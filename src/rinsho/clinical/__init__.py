"""Extraction and de-identification of clinical text."""
