"""From a request to its answer: the life of a call is written once, routes are declarations."""
