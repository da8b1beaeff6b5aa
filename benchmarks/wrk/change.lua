-- PATCH /items/1, each time to another price.
dofile("benchmarks/wrk/common.lua")

local headers = { ["Content-Type"] = "application/merge-patch+json" }
local cents = 0

function init(args)
  seed()
  cents = math.random(10000)
end

function request()
  cents = cents + 1
  return wrk.format("PATCH", "/items/1", headers, string.format('{"price": %d.%02d}', cents / 100, cents % 100))
end
