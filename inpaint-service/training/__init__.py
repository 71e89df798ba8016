"""How the stroke network was made; see README.md. Nothing here is part of the service."""
