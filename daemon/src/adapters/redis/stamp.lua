-- Notes up to which moment a position holds everything; an earlier moment of the same epoch, or an earlier epoch, changes nothing.
-- KEYS: the stamp. ARGV: epoch, seq, microseconds, seconds to live.
local there = redis.call('GET', KEYS[1])
if there then
  local epoch, moment = string.match(there, '^(%d+) %d+ (%-?%d+)$')
  epoch, moment = tonumber(epoch), tonumber(moment)
  local e = tonumber(ARGV[1])
  if epoch and (epoch > e or (epoch == e and moment >= tonumber(ARGV[3]))) then return 0 end
end
redis.call('SET', KEYS[1], ARGV[1] .. ' ' .. ARGV[2] .. ' ' .. ARGV[3], 'EX', ARGV[4])
return 1
