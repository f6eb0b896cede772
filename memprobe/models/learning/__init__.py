"""What is normal for a program, from run to run."""
