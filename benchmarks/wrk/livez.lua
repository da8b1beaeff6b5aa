-- GET /livez.
dofile("benchmarks/wrk/common.lua")

function request()
  return wrk.format("GET", "/livez")
end
