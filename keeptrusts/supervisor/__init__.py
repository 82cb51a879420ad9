"""Child processes that live and die with the process that started them.

`supervisor` starts, restarts and stops them; `lifeline` is the child's half: it ends the child
when the supervisor is gone, SIGKILL included; `probes` asks whether they answer; `ports` says
whether a port is free.
"""
