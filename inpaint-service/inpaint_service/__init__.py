"""Repaints what a mask covers: masks, crops, fills and models, and the service around them."""
