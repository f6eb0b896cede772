"""Mathematics on what was seen: pure functions and small states; no clock, no files, no process."""
