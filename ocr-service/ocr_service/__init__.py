"""Finds and reads text in pictures and documents."""
