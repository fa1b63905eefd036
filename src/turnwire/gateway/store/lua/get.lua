-- ARGV: id, owner, the time before which everything is too old, "1" if the caller has the links,
-- how many links, how many bytes.  False if it is not found.
local id, owner = ARGV[1], ARGV[2]
local at = redis.call('ZSCORE', stored, id)
if not at or tonumber(at) <= tonumber(ARGV[3]) or redis.call('HGET', key(id), 'owner') ~= owner then
  return false
end
use(id)
if ARGV[4] == '1' then
  return {}
end
return lineage(id, tonumber(ARGV[5]), tonumber(ARGV[6]))
