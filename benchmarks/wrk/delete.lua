-- DELETE /items/{id}, each item once. Arguments: N, the number of items; FIRST, the lowest id that still exists.
--
-- Every answer must be 204. The ids after N do not exist, so that running out of items shows as errors.
dofile("benchmarks/wrk/common.lua")

local id = 0

function init(args)
  id = tonumber(args[2]) - 1
end

function request()
  id = id + 1
  return wrk.format("DELETE", "/items/" .. id)
end
