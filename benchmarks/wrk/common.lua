-- What every script shares: the create request, and the one line of JSON that benchmarks/load.py reads.

local threads = {}

-- wrk gives every thread a Lua state of its own; `setup` and `done` run in a further one that sees them all.
function setup(thread)
  thread:set("thread_number", #threads + 1)
  table.insert(threads, thread)
end

function seed()
  math.randomseed(os.time() * 64 + thread_number)
end

local JSON = { ["Content-Type"] = "application/json" }

function create_request()
  local body = string.format(
    '{"name":"item %d","price":%d.%02d}',
    math.random(1000000), math.random(0, 999), math.random(0, 99)
  )
  return wrk.format("POST", "/items", JSON, body)
end

-- A global table of numbers, summed over the threads.
function totals(name)
  local sums = {}
  for _, thread in ipairs(threads) do
    for key, count in pairs(thread:get(name)) do
      sums[key] = (sums[key] or 0) + count
    end
  end
  return sums
end

function print_result(summary, latency, wrong)
  local statuses = {}
  for status, count in pairs(wrong) do
    if count > 0 then
      table.insert(statuses, string.format('"%s":%d', status, count))
    end
  end
  local errors = summary.errors
  io.write(string.format(
    '\n{"requests":%d,"duration_us":%d,"p50_us":%d,"p99_us":%d,"wrong_answers":{%s},'
      .. '"socket_errors":{"connect":%d,"read":%d,"write":%d,"timeout":%d}}\n',
    summary.requests, summary.duration, latency:percentile(50), latency:percentile(99),
    table.concat(statuses, ","), errors.connect, errors.read, errors.write, errors.timeout
  ))
end

-- wrk itself counts answers of 400 and above. A `response` function could tell them apart, but costs the load
-- generator time on every answer, so only the scripts that need one have one.
function done(summary, latency, requests)
  print_result(summary, latency, { ["400 and above"] = summary.errors.status })
end
