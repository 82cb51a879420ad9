"""Counting in Redis: exact over all processes and hosts, one script per request.

The server's own clock decides, so that hosts need not agree about the time. A group's keys share a
hash tag, so that a cluster keeps them together.
"""

import hashlib
from collections.abc import Sequence
from typing import Any

import redis.asyncio as redis
from redis.asyncio.retry import Retry
from redis.backoff import NoBackoff

from gateway.rates.memory import Clock
from gateway.rates.rules import Correction, Standing, Taken, Use

PATIENCE_SECONDS = 0.05
MAX_CONNECTIONS = 16

_NOW = """
local now = tonumber(ARGV[1])
if now < 0 then
  local time = redis.call('TIME')
  now = time[1] * 1000 + math.floor(time[2] / 1000)
end
"""
TAKE = (
    _NOW
    + """
local found, ok = {}, 1
for i, key in ipairs(KEYS) do
  local most, window = tonumber(ARGV[4 * i - 2]), tonumber(ARGV[4 * i - 1])
  local size, need = tonumber(ARGV[4 * i]), tonumber(ARGV[4 * i + 1])
  local first, last = math.floor((now - window) / size), math.floor(now / size)
  local used, newest, live = 0, -1, {}
  local fields = redis.call('HGETALL', key)
  for j = 1, #fields, 2 do
    local slot, count = tonumber(fields[j]), tonumber(fields[j + 1])
    if slot < first or slot > last then
      redis.call('HDEL', key, fields[j])
    elseif count > 0 then
      used = used + count
      newest = math.max(newest, slot)
      table.insert(live, {slot, count})
    end
  end
  local fits, left = 0, used
  if need > most then
    fits = -1
  else
    table.sort(live, function(a, b) return a[1] < b[1] end)
    for _, one in ipairs(live) do
      if left + need <= most then break end
      left = left - one[2]
      fits = (one[1] + 1) * size + window - now
    end
  end
  if fits ~= 0 then ok = 0 end
  found[i] = {used, fits, newest, size, window, need}
end
local answer = {ok, now}
for i, key in ipairs(KEYS) do
  local used, fits, newest, size, window, need = unpack(found[i])
  if ok == 1 and need > 0 then
    newest = math.floor(now / size)
    redis.call('HINCRBY', key, string.format('%.0f', newest), string.format('%.0f', need))
    redis.call('PEXPIRE', key, string.format('%.0f', window + 2 * size))
    used = used + need
  end
  local resets = 0
  if newest >= 0 then resets = (newest + 1) * size + window - now end
  table.insert(answer, used)
  table.insert(answer, fits)
  table.insert(answer, resets)
end
return answer
"""
)
GIVE = (
    _NOW
    + """
for i, key in ipairs(KEYS) do
  local window, size = tonumber(ARGV[4 * i - 2]), tonumber(ARGV[4 * i - 1])
  local slot, delta = ARGV[4 * i], tonumber(ARGV[4 * i + 1])
  if delta > 0 then
    slot = string.format('%.0f', math.floor(now / size))
    redis.call('HINCRBY', key, slot, string.format('%.0f', delta))
    redis.call('PEXPIRE', key, string.format('%.0f', window + 2 * size))
  else
    local count = tonumber(redis.call('HGET', key, slot) or '0')
    delta = -math.min(count, -delta)
    if delta < 0 then redis.call('HINCRBY', key, slot, string.format('%.0f', delta)) end
  end
end
return 1
"""
)


class SharedCounts:
    """Raises ``redis.RedisError``, ``OSError`` or ``TimeoutError`` where Redis does not answer."""

    def __init__(self, url: str, clock: Clock | None = None) -> None:
        self._clock = clock
        pool = redis.BlockingConnectionPool.from_url(
            url,
            max_connections=MAX_CONNECTIONS,
            timeout=PATIENCE_SECONDS,
            socket_timeout=PATIENCE_SECONDS,
            socket_connect_timeout=PATIENCE_SECONDS,
            retry=Retry(NoBackoff(), 0),
        )
        self._redis: Any = redis.Redis.from_pool(pool)
        self._take = self._redis.register_script(TAKE)
        self._give = self._redis.register_script(GIVE)

    async def close(self) -> None:
        """Close every connection."""
        await self._redis.aclose()

    async def take(self, group: str, uses: Sequence[Use]) -> Taken:
        """Count a request by all rules, or by none."""
        arguments = [self._now()]
        for use in uses:
            arguments += [use.rule.most, use.rule.window, use.rule.slot, use.need]
        keys = [_key(group, use.rule.name) for use in uses]
        ok, now, *rest = await self._take(keys=keys, args=arguments)
        parts = [rest[i : i + 3] for i in range(0, len(rest), 3)]
        standings = tuple(
            Standing(use, used, None if fits < 0 else fits, resets)
            for use, (used, fits, resets) in zip(uses, parts, strict=True)
        )
        return Taken(bool(ok), now, standings)

    async def give(self, group: str, corrections: Sequence[Correction]) -> None:
        """What was needed more counts from now on; what was needed less counts no more."""
        arguments = [self._now()]
        for one in corrections:
            arguments += [one.rule.window, one.rule.slot, one.slot, one.delta]
        await self._give(keys=[_key(group, one.rule.name) for one in corrections], args=arguments)

    def _now(self) -> int:
        return self._clock() if self._clock is not None else -1


def _key(group: str, rule: str) -> str:
    return f"keeptrusts:rates:{{{hashlib.sha256(group.encode()).hexdigest()[:32]}}}:{rule}"
