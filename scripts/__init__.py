"""Makes what is written from the code: parts of the README, and the entry in Meltano's hub."""
