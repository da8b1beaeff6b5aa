-- GET /items/{id} for a random id in 1..N. Arguments: N.
dofile("benchmarks/wrk/common.lua")

local items = 0

function init(args)
  seed()
  items = tonumber(args[1])
end

function request()
  return wrk.format("GET", "/items/" .. math.random(items))
end
