-- Follows the journal in one bucket: puts balances and moves the bucket's position, in one step.
-- KEYS: the bucket's position, then wallets of this bucket.
-- ARGV: a generation nobody has used, from, epoch, to, seconds to live; then of each wallet epoch, seq, the rest.
-- A position is "generation epoch seq", a balance "generation epoch seq rest"; one of another generation is forgotten.
local from, epoch, to, ttl = tonumber(ARGV[2]), tonumber(ARGV[3]), tonumber(ARGV[4]), ARGV[5]
local generation, seq = ARGV[1], to
local at = redis.call('GET', KEYS[1])
if at then
  local g, e, s = string.match(at, '^(%S+) (%d+) (%d+)$')
  e, s = tonumber(e), tonumber(s)
  if e and e > epoch then return 0 end
  if e == epoch and s >= from then generation, seq = g, s end
end
local late = to < seq
for i = 2, #KEYS do
  local e, s = ARGV[3 * i], ARGV[3 * i + 1]
  local newer = not late
  local there = redis.call('GET', KEYS[i])
  if there then
    local g, had_epoch, had_seq = string.match(there, '^(%S+) (%d+) (%d+) ')
    if g == generation then
      had_epoch, had_seq = tonumber(had_epoch), tonumber(had_seq)
      local n = tonumber(e)
      newer = n > had_epoch or (n == had_epoch and tonumber(s) > had_seq)
    end
  end
  if newer then
    redis.call('SET', KEYS[i], generation .. ' ' .. e .. ' ' .. s .. ' ' .. ARGV[3 * i + 2], 'EX', ttl)
  end
end
if to > seq then seq = to end
redis.call('SET', KEYS[1], generation .. ' ' .. ARGV[3] .. ' ' .. string.format('%.0f', seq), 'EX', ttl)
return 1
