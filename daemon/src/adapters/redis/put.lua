-- Puts balances of one bucket, each if it is newer; absent ones unless they come late. Without a position: nothing.
-- KEYS: the bucket's position, then wallets of this bucket.
-- ARGV: the position the balances were read at, seconds to live; then of each wallet epoch, seq, the rest.
local at = redis.call('GET', KEYS[1])
if not at then return 0 end
local generation, epoch, seq = string.match(at, '^(%S+) (%d+) (%d+)$')
if not generation then return 0 end
epoch, seq = tonumber(epoch), tonumber(seq)
local late = tonumber(ARGV[1]) < seq
for i = 2, #KEYS do
  local e, s = ARGV[3 * i - 3], ARGV[3 * i - 2]
  local n = tonumber(e)
  local newer = not late
  local there = redis.call('GET', KEYS[i])
  if there then
    local g, had_epoch, had_seq = string.match(there, '^(%S+) (%d+) (%d+) ')
    if g == generation then
      had_epoch, had_seq = tonumber(had_epoch), tonumber(had_seq)
      newer = n > had_epoch or (n == had_epoch and tonumber(s) > had_seq)
    end
  end
  if newer and n >= epoch then
    redis.call('SET', KEYS[i], generation .. ' ' .. e .. ' ' .. s .. ' ' .. ARGV[3 * i - 1], 'EX', ARGV[2])
  end
end
return 1
