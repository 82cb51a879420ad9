"""The operations the admin offers, by what they are done to."""
