"""What people use today, written plainly: each file is one way, given the same weights, pairs, dtype and threads."""
