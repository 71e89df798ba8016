"""Qianxia's wire, over REST and WebSocket."""
