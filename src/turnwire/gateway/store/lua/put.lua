-- ARGV: now, the time before which everything is too old, bytes and responses to keep; then for
-- each link, the oldest first: id, parent, owner, size, data.  The last one is the response.
-- 0, and nothing done, if the parent of the first one is not here.
local now, too_old = ARGV[1], ARGV[2]
local limit_bytes, limit_count = tonumber(ARGV[3]), tonumber(ARGV[4])

if ARGV[6] ~= '' and redis.call('EXISTS', key(ARGV[6])) == 0 then
  return 0
end

local id
for i = 5, #ARGV, 5 do
  id = ARGV[i]
  local parent, size = ARGV[i + 1], ARGV[i + 3]
  if redis.call('EXISTS', key(id)) == 0 then
    redis.call('HSET', key(id), 'data', ARGV[i + 4], 'parent', parent, 'owner', ARGV[i + 2],
      'size', size, 'holders', 0)
    redis.call('INCRBY', bytes, size)
    if parent ~= '' then
      redis.call('HINCRBY', key(parent), 'holders', 1)
    end
  end
end
if not redis.call('ZSCORE', used, id) then
  redis.call('HINCRBY', key(id), 'holders', 1)
end
use(id)
redis.call('ZADD', stored, now, id)

for _, old in ipairs(redis.call('ZRANGEBYSCORE', stored, '-inf', too_old, 'LIMIT', 0, 1000)) do
  forget(old)
end
while tonumber(redis.call('GET', bytes)) > limit_bytes or redis.call('ZCARD', used) > limit_count do
  local oldest = redis.call('ZRANGE', used, 0, 0)[1]
  if not oldest then
    break
  end
  forget(oldest)
end
return 1
