"""May a request that waits still be served? Asked again whenever the snapshot changes."""

from gateway.proxy import admission
from gateway.proxy.call import Call
from gateway.proxy.errors import Rejected, unauthenticated
from gateway.snapshot import Caller, Snapshot


def refusal(call: Call, snapshot: Snapshot) -> Rejected | None:
    """Why the request may not go on by ``snapshot``; None where it may."""
    caller = _same(call.caller, snapshot)
    if caller is None:
        return unauthenticated("The key is not valid any more.")
    try:
        admission.check_stops(caller, snapshot, call.event.model)
        if all(t.provider.casefold() in snapshot.stopped_providers for t in call.targets):
            raise admission.stopped_by(snapshot.stopped_providers[call.event.provider.casefold()])
    except Rejected as rejected:
        return rejected
    return None


def _same(caller: Caller, snapshot: Snapshot) -> Caller | None:
    """The caller as it is now; None where its key was revoked."""
    found = snapshot.callers.values()
    if any(now is caller for now in found):
        return caller
    return next(
        (
            now
            for now in found
            if now.consumer == caller.consumer and now.group_name == caller.group_name
        ),
        None,
    )
