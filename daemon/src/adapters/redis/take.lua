-- Takes of several buckets at once, by the server's own clock (generic cell rate algorithm). A key is the instant at which
-- its bucket is full again, and goes away then.
-- KEYS: the buckets. ARGV: 1 to charge what happened already, else 0; then for each bucket: microseconds a token takes to
-- come back, tokens it holds, tokens needed, tokens wanted besides if they are there.
-- Answers the place of the bucket that refuses (from 1; nothing is taken then) or 0; then for each bucket: tokens taken,
-- microseconds until it is full again.
local now = redis.call('TIME')
now = tonumber(now[1]) * 1000000 + tonumber(now[2])
local charge = ARGV[1] == '1'
local buckets, refused = {}, 0
for place = 1, #KEYS do
    local first = place * 4 - 2
    local each, burst = tonumber(ARGV[first]), tonumber(ARGV[first + 1])
    local cost, besides = tonumber(ARGV[first + 2]), tonumber(ARGV[first + 3])
    local span = each * burst
    local full = tonumber(redis.call('GET', KEYS[place]) or '') or now
    -- An instant too far ahead is of another configuration, or of a clock that was set back.
    if full < now or full > now + 2 * span then full = now end
    local used = full - now
    local taken = cost
    if charge then
        used = math.min(used + each * cost, 2 * span)
    else
        -- A thousandth of a token: sums of fractions are not exact.
        local there = math.floor((span - used) / each + 0.001)
        if there < cost and refused == 0 then refused = place end
        taken = math.max(cost, math.min(cost + besides, there))
        used = used + each * taken
    end
    buckets[place] = {now + used, used, taken, full - now}
end
local answer = {refused}
for place = 1, #KEYS do
    local bucket = buckets[place]
    if refused == 0 then
        if bucket[3] > 0 then
            redis.call('SET', KEYS[place], string.format('%.3f', bucket[1]), 'PX', math.ceil(bucket[2] / 1000))
        end
        answer[place * 2], answer[place * 2 + 1] = bucket[3], math.ceil(bucket[2])
    else
        answer[place * 2], answer[place * 2 + 1] = 0, math.ceil(bucket[4])
    end
end
return answer
