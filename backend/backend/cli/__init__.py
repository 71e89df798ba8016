"""The command line: starting the services, erasing pictures, and looking after an installation."""
