"""What is kept of requests and answers beside their facts: ``history.mode`` of the policy file."""
