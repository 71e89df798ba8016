"""Asking vision models over OpenAI's API: the endpoint, its client, what is sent and what comes back.

    endpoints  what is known of an endpoint
    bodies     a page and a prompt → the body of a request
    streams    the bytes of an answer, streamed or whole → its text
    replies    the text → Markdown, lines or a description; strict, and pure
    client     requests, retries and timeouts

Who asks, and what becomes of the answers, is the engines' business.
"""
