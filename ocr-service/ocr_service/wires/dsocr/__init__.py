"""The wire of the DeepSeek-OCR server: tasks, their results, how the service is, and a console."""
