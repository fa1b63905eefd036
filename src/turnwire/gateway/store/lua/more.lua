-- ARGV: the id at which a lineage goes on, how many links, how many bytes.
return lineage(ARGV[1], tonumber(ARGV[2]), tonumber(ARGV[3]))
