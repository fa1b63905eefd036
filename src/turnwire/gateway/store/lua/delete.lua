-- ARGV: id, owner.
if redis.call('HGET', key(ARGV[1]), 'owner') == ARGV[2] then
  forget(ARGV[1])
end
