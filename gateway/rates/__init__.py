"""Rate limits of consumer groups: requests and tokens in sliding windows."""
