-- Takes one token of a bucket, by the server's own clock (generic cell rate algorithm).
-- KEYS: the bucket. ARGV: microseconds a token takes to come back, tokens the bucket holds.
-- Answers 0, or how many microseconds to wait. The key is the instant at which the bucket is full again.
local now = redis.call('TIME')
now = tonumber(now[1]) * 1000000 + tonumber(now[2])
local each, burst = tonumber(ARGV[1]), tonumber(ARGV[2])
local full = tonumber(redis.call('GET', KEYS[1]) or '') or now
-- An instant too far ahead is of another configuration, or of a clock that was set back.
if full < now or full > now + each * burst then full = now end
local ahead = full + each - now
if ahead > each * burst then return math.ceil(ahead - each * burst) end
redis.call('SET', KEYS[1], string.format('%.3f', full + each), 'PX', math.ceil(ahead / 1000))
return 0
