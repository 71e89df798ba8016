"""The backend's HTTP and WebSocket routes: one router a module, no logic in them."""
