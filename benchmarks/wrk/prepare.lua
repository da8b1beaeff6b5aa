-- POST /items until N of them were answered with 201. Arguments: N.
dofile("benchmarks/wrk/common.lua")

local wanted, made = 0, 0

function init(args)
  seed()
  wanted = tonumber(args[1])
end

function request()
  return create_request()
end

function response(status)
  if status == 201 then
    made = made + 1
  end
  if made >= wanted then
    -- wrk has no other way to end before its time. The up to one request a connection that is still under way is
    -- carried out by the server all the same.
    os.exit(0)
  end
end
