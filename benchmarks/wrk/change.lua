-- PATCH /items/{id} for a random id in 1..N, each time to another price. Arguments: N, or none for 1.
dofile("benchmarks/wrk/common.lua")

local headers = { ["Content-Type"] = "application/merge-patch+json" }
local items, cents = 0, 0

function init(args)
  seed()
  items = tonumber(args[1] or 1)
  cents = math.random(10000)
end

function request()
  cents = cents + 1
  local body = string.format('{"price": %d.%02d}', cents / 100, cents % 100)
  return wrk.format("PATCH", "/items/" .. math.random(items), headers, body)
end
