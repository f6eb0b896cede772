"""What memprobe may do on this machine, found by trying."""
