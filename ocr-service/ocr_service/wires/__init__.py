"""Older systems' wires over the same engines: one router each, no engine or job logic in them."""
