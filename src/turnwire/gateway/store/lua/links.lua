-- What all scripts begin with.
--
-- KEYS[1] is the prefix of every key; it is in braces, so that they are all in one slot.
--   :link:<response id>  hash  data, parent, owner, size, holders
--   :used                zset  responses that can be found, by use; the least recent first
--   :stored              zset  the same ones, by the time when they were stored
--   :bytes               what all links take
--   :uses                the last place in :used
--
-- A link's holders are its own entry in :used and the links after it; without one it goes.

local prefix = KEYS[1]
local used, stored, bytes = prefix .. ':used', prefix .. ':stored', prefix .. ':bytes'

local function key(id)
  return prefix .. ':link:' .. id
end

local function use(id)
  redis.call('ZADD', used, redis.call('INCR', prefix .. ':uses'), id)
end

local function forget(id)
  if redis.call('ZREM', used, id) == 0 then
    return
  end
  redis.call('ZREM', stored, id)
  while id ~= '' do
    local link = key(id)
    local parent, size, holders = unpack(redis.call('HMGET', link, 'parent', 'size', 'holders'))
    if not holders then
      return -- somebody else removed it
    end
    if tonumber(holders) > 1 then
      redis.call('HINCRBY', link, 'holders', -1)
      return
    end
    redis.call('UNLINK', link)
    redis.call('DECRBY', bytes, size)
    id = parent
  end
end

-- Return a link and those before it, newest first, until they are too many or too much for once.
local function lineage(id, most, most_bytes)
  local links = {}
  while id ~= '' and #links < most and most_bytes > 0 do
    local data, parent = unpack(redis.call('HMGET', key(id), 'data', 'parent'))
    if not data then
      break
    end
    links[#links + 1] = data
    most_bytes = most_bytes - #data
    id = parent
  end
  return links
end
