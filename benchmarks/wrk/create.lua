-- POST /items with a varied name and price.
dofile("benchmarks/wrk/common.lua")

function init(args)
  seed()
end

function request()
  return create_request()
end
