"""How every service runs jobs, logs events, answers errors, probes its health, and limits what it takes in."""
