"""What crosses the wire: geometry, messages and problems. Pydantic and the standard library only."""
