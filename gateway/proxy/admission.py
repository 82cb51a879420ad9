"""May this request be served, by whom, and what can it cost at most? Decided without the database.

Order: stop switches, allow-list, target, price and features, debt. The ledger decides the rest.
"""

import hashlib
import re
from collections.abc import Iterator, Mapping
from typing import Any

from gateway import tokens
from gateway.policy import Target
from gateway.pricing import Band, Priced, Rates, catalogue, worst_case_nanos
from gateway.proxy import bodies, errors, refusals
from gateway.proxy.call import Admission, Call
from gateway.proxy.route import Route
from gateway.snapshot import Caller, Snapshot, StopCard
from gateway.tokens import Estimate
from wallets import cascade, limits
from wallets.ledger import Extend, Reserve, Waiting

MAX_MODEL, MAX_TAGS, MAX_TAG_NAME, MAX_TAG_VALUE = 120, 16, 64, 128
MAX_REASON = 200
UNPRICED = "unpriced"
SET_A_PRICE = "Platform administrators set one with POST /v1/model-pricing"
PRICEABLE = frozenset({tokens.LONG_CONTEXT, tokens.AUDIO})
FREE = Priced(Rates(Band(input=0, output=0)), "free")
_DATE = re.compile(r"-(\d{4}-\d{2}-\d{2}|\d{8}|\d{4})$")


def read(call: Call) -> None:
    """What is asked for, and whether its caller may ask for it now; raises ``Rejected``.

    Afterwards the call has its request and the targets that may serve it.
    """
    route = call.route
    call.request = request = bodies.parsed(call.body)
    route.check_fields(request)
    model = _model(request, route.default_model)
    call.event.model = model
    call.streamed = call.event.streamed = _stream(request, route)
    call.event.tags = _tags(call)
    call.event.end_user = _end_user(call)
    check_stops(call.caller, call.snapshot, model)
    call.targets = _targets(call, model)
    call.event.provider, call.event.target = call.targets[0].provider, call.targets[0].id


def price(call: Call, target: Target) -> Admission:
    """What the request can cost at ``target``; raises ``Rejected``, changes nothing."""
    request, model = call.request, call.event.model
    changes = call.route.stream_changes(request) if call.streamed else {}
    estimate = _estimate(call, target, model)
    priced = _price(call, target, model, estimate)
    worst = _hold(estimate, priced)
    return Admission(
        target=target,
        estimate=estimate,
        priced=priced,
        changes=changes | estimate.add,
        worst=worst,
        hold=worst if call.caller.enforced else 0,
    )


def choose(call: Call, admission: Admission) -> None:
    """From now on the request runs at this target, for this price; the event says so."""
    call.admission = admission
    event, priced = call.event, admission.priced
    event.provider, event.target = admission.target.provider, admission.target.id
    event.hold = admission.hold
    event.price_version = priced.version if priced is not None else ""
    unpriced = priced is None and _tracked(call.snapshot)
    event.flags = [flag for flag in event.flags if flag != UNPRICED]
    if unpriced:
        event.flags.append(UNPRICED)


def check_debt(call: Call, admission: Admission) -> None:
    """An organisation that owes money pays for nothing; what is free passes."""
    if admission.worst and call.snapshot.in_debt and call.caller.enforced:
        raise _blocked(call, "organization_in_debt")


def reserve(call: Call, admission: Admission) -> Reserve:
    """The hold this request needs, on the wallets its caller may use."""
    caller, snapshot = call.caller, call.snapshot
    if caller.wallet is None:
        raise _blocked(call, "insufficient_balance")
    return Reserve(
        id=call.reservation,
        organization_id=caller.organization_id,
        actor=caller.actor,
        attachment=call.event,
        amount=admission.hold,
        candidates=cascade.candidates(caller.wallet, snapshot.wallets, caller.consumer, call.now),
        counters=limits.uses(snapshot.limits, caller.consumer, call.now),
        request_id=call.id,
        team_id=caller.team.id,
        user_id=caller.user_id,
        consumer_group_id=caller.group_id,
        key_id=caller.key_id,
        provider=call.event.provider,
        model=call.event.model,
        facts=_facts(call),
    )


def extend(call: Call, amount: int, *, waiting: Waiting | None = None) -> Extend:
    """The next part of its hold, ``amount`` nano-dollars more on the wallet that pays.

    It must fit into the limits of the consumer, and into the caps on drawing from that wallet.
    """
    caller, snapshot = call.caller, call.snapshot
    assert caller.wallet is not None
    chain = cascade.candidates(caller.wallet, snapshot.wallets, caller.consumer, call.now)
    caps = next((c.counters for c in chain if c.wallet.id == call.paying), ())
    return Extend(
        id=call.reservation,
        organization_id=caller.organization_id,
        actor=caller.actor,
        part=call.parts,
        amount=amount,
        counters=(*limits.uses(snapshot.limits, caller.consumer, call.now), *caps),
        waiting=waiting,
    )


def _facts(call: Call) -> dict[str, Any]:
    """What a sweep needs to write the event, should this process not live to do it."""
    event = call.event
    return {
        "route": event.route,
        "consumer_group": event.consumer_group_name,
        "target": event.target,
        "streamed": event.streamed,
        "price_version": event.price_version,
        "config_version": event.config_version,
        "tags": event.tags,
    }


def _model(request: Mapping[str, Any], default: str | None) -> str:
    model = request.get("model")
    if model is None and default is not None:
        return default
    if not isinstance(model, str) or not model.strip():
        raise errors.invalid_field("model", "must be the name of a model")
    if len(model) > MAX_MODEL or not model.isprintable():
        raise errors.invalid_field("model", f"must be at most {MAX_MODEL} printable characters")
    return model


def _stream(request: Mapping[str, Any], route: Route) -> bool:
    stream = request.get("stream")
    if stream is not None and not isinstance(stream, bool):
        raise errors.invalid_field("stream", "must be true or false")
    if stream and route.stream is None:
        raise errors.invalid_field("stream", f"{route.path} does not stream its answers")
    return bool(stream)


def check_stops(caller: Caller, snapshot: Snapshot, model: str) -> None:
    """Raise ``Rejected`` where a switch or an allow-list keeps the caller from the model."""
    if not snapshot.organization.active:
        raise errors.Blocked(402, "The organization is closed.", code="stopped")
    stop = caller.stop or next(_model_stops(snapshot, model), None)
    if stop is not None:
        raise stopped_by(stop)
    if caller.allowed_models is not None and model not in caller.allowed_models:
        rejected = errors.Blocked(
            403,
            f"This key may not use the model '{model}'.",
            code="model_not_allowed",
            param="model",
        )
        rejected.kind = "invalid_request_error"
        raise rejected


def cutting(call: Call, snapshot: Snapshot) -> StopCard | None:
    """The switch with ``cut`` on the model of a running request, or on the provider it runs at."""
    provider = snapshot.stopped_providers.get(call.event.provider.casefold())
    stops = [*_model_stops(snapshot, call.event.model), *([provider] if provider else ())]
    return next((stop for stop in stops if stop.cut), None)


def _model_stops(snapshot: Snapshot, model: str) -> Iterator[StopCard]:
    """The switches on a model, however its name is spelled; dated names count as their model."""
    if not snapshot.stopped_models:
        return
    name = model.strip().casefold()
    names = {name, _DATE.sub("", name)}
    for target in snapshot.policy.targets_for(model):
        known = catalogue.canonical(target.provider, model.strip())
        names.update({known.casefold()} if known else ())
    found = (snapshot.stopped_models.get(name) for name in sorted(names))
    yield from (stop for stop in found if stop is not None)


def _blocked(call: Call, code: str) -> errors.Blocked:
    return errors.Blocked(402, refusals.message(code, call.caller), code=code)


def stopped_by(stop: StopCard) -> errors.Blocked:
    """How the callers of what a switch stops are told."""
    """The refusal of a stop switch, with the reason of whoever set it."""
    reason = stop.reason.strip()[:MAX_REASON]
    sentence = f"Requests are stopped by a switch on the {stop.scope.replace('_', ' ')}"
    return errors.Blocked(
        402,
        f"{sentence}: {reason.rstrip('.')}." if reason else f"{sentence}.",
        code="stopped",
        details={"scope": stop.scope, "reason": reason or None},
    )


def ended(call: Call) -> errors.Rejected:
    """How a running request is told that it was ended: by a switch, as a new one would be."""
    if call.stop_card is not None:
        return stopped_by(call.stop_card)
    code = call.stopping or "shutdown"
    return errors.unavailable("The gateway ended the request.", code=code)


def _targets(call: Call, model: str) -> list[Target]:
    """The targets that serve the model and are not stopped; at least one."""
    targets = call.snapshot.policy.targets_for(model)
    if not targets:
        raise errors.unknown_model(model)
    stopped = call.snapshot.stopped_providers
    running = [target for target in targets if target.provider.casefold() not in stopped]
    if not running:
        raise stopped_by(stopped[targets[0].provider.casefold()])
    return list(running)


def _estimate(call: Call, target: Target, model: str) -> Estimate:
    try:
        return call.route.price(
            call.request,
            model,
            default_max_output_tokens=(
                call.snapshot.policy.document.cost_tracking.default_max_output_tokens
            ),
            official=target.official,
        )
    except tokens.InvalidRequest as error:
        raise errors.invalid(error) from None


def _price(call: Call, target: Target, model: str, estimate: Estimate) -> Priced | None:
    snapshot = call.snapshot
    if not _tracked(snapshot):
        return None
    priced = snapshot.prices.rates(call.caller.organization_id, target.provider, model, call.now)
    if priced is None or not _counts(call, priced, target, model):
        if call.route.is_free(model):
            return FREE
        if call.caller.settings.allows_unpriced:
            return None
        raise errors.Blocked(
            402,
            f"The model '{model}' of provider '{target.provider}' has no price. {SET_A_PRICE}; "
            "'unpriced_models: allow' in the policy file lets it pass unpaid.",
            code="model_not_priced",
            details={"provider": target.provider, "model": model},
        )
    features = (*estimate.features, *call.route.header_features(call.exchange.headers))
    unpriced = [feature for feature in features if not _prices(priced, feature)]
    if unpriced and not priced.rates.free:
        raise errors.Blocked(
            402,
            f"The model '{model}' has no price for: {', '.join(unpriced)}. {_advice(unpriced)}",
            code="feature_not_priced",
            details={"provider": target.provider, "model": model, "features": unpriced},
        )
    return priced


def _counts(call: Call, priced: Priced, target: Target, model: str) -> bool:
    """Whether a price is one of this route's.

    The catalogue prices models of every kind, by patterns: a name made up to look like one that is
    free must not pass for it. What costs nothing here, somebody has set to cost nothing.
    """
    if not priced.from_catalogue:
        return True
    return not priced.rates.free and call.route.knows(target.provider, model)


def _advice(unpriced: list[str]) -> str:
    """What helps: a price, where prices know the features, else only to ask without them."""
    return f"{SET_A_PRICE}." if PRICEABLE.issuperset(unpriced) else "Ask without it."


def _prices(priced: Priced, feature: str) -> bool:
    """Whether a price has one for a feature: long prompts have theirs in tiers of the context."""
    if feature == tokens.LONG_CONTEXT:
        return bool(priced.rates.tiers) or priced.from_catalogue
    return feature == tokens.AUDIO and priced.rates.prices_audio


def _hold(estimate: Estimate, priced: Priced | None) -> int:
    if priced is None:
        return 0
    return worst_case_nanos(
        estimate.prompt_tokens, estimate.completion_tokens, priced.rates, audio=estimate.audio
    )


def _tracked(snapshot: Snapshot) -> bool:
    return snapshot.policy.document.cost_tracking.enabled


def _tags(call: Call) -> dict[str, str]:
    """The key's default tags, the request's metadata, and ``x-keeptrusts-tags: name=value, …``."""
    found: dict[str, Any] = dict(call.caller.default_tags)
    metadata, end_user = call.request.get("metadata"), call.route.end_user(call.request)
    if isinstance(metadata, Mapping):
        texts = {key: value for key, value in metadata.items() if isinstance(value, str)}
        found.update({key: value for key, value in texts.items() if value != end_user})
    header = call.exchange.headers.get(b"x-keeptrusts-tags", b"").decode("latin-1")
    for part in header.split(",") if header else ():
        name, separator, value = part.partition("=")
        if separator and name.strip():
            found[name.strip()] = value.strip()
    kept = list(found.items())[:MAX_TAGS]
    return {_clean(name)[:MAX_TAG_NAME]: _clean(str(value))[:MAX_TAG_VALUE] for name, value in kept}


def _clean(text: str) -> str:
    """PostgreSQL keeps no NUL characters, JSON no halves of surrogate pairs."""
    return text.replace("\0", "").encode("utf-8", "replace").decode()


def _end_user(call: Call) -> str:
    """A digest of the caller's own ``user`` field, so that its requests can be told apart."""
    user = call.route.end_user(call.request)
    if not isinstance(user, str) or not user:
        return ""
    text = f"{call.caller.organization_id}:{user}"
    return hashlib.sha256(text.encode("utf-8", "surrogatepass")).hexdigest()
