"""Older systems' wires over the same models: one router each, no model or job logic in them."""
