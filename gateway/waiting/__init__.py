"""Requests that wait for money: the waiting room of a process, and what it writes down."""
