"""Documents as pages: PDFs read and rendered. Needs pypdfium2, which only services that take PDFs install."""
