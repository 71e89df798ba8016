"""The backend: one job finds the text of a picture, builds the mask, repaints, and hands back the picture."""
