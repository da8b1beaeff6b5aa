-- 70 % reads, 20 % creates, 10 % deletes. Arguments: N, the items 1..N that exist and that nobody deletes.
--
-- wrk doesn't say which request an answer belongs to, so answers are judged by number: each thread counts how many
-- answers of each status it may get at most. It deletes only what it created itself, each item once, and every tenth
-- read or delete goes to an item it deleted long before, which is what a 404 is right for.
dofile("benchmarks/wrk/common.lua")

-- "Long before": so many deletes ago that none of them can be waiting for its answer still.
local SETTLED = 200

-- Globals, because thread:get sees no locals.
answers = {}
expected = { ["200"] = 0, ["201"] = 0, ["204"] = 0, ["404"] = 0 }

local items = 0
local created, deleted = {}, {}

function init(args)
  seed()
  items = tonumber(args[1])
end

local function expect(status)
  expected[status] = expected[status] + 1
end

local function path(id)
  return "/items/" .. id
end

-- An item that is certainly gone, one time in ten.
local function some_deleted_item()
  local settled = #deleted - SETTLED
  if settled > 0 and math.random(10) == 1 then
    expect("404")
    return deleted[math.random(settled)]
  end
end

local function read()
  local id = some_deleted_item()
  if not id then
    id = math.random(items)
    expect("200")
  end
  return wrk.format("GET", path(id))
end

local function create()
  expect("201")
  return create_request()
end

local function delete()
  local id = some_deleted_item()
  if not id then
    id = table.remove(created)
    if not id then
      return create() -- nothing to delete yet
    end
    table.insert(deleted, id)
    expect("204")
  end
  return wrk.format("DELETE", path(id))
end

function request()
  local dice = math.random(10)
  if dice <= 7 then
    return read()
  elseif dice <= 9 then
    return create()
  end
  return delete()
end

function response(status, headers, body)
  local name = tostring(status)
  answers[name] = (answers[name] or 0) + 1
  if status == 201 then
    table.insert(created, body:match('"id":%s*(%d+)'))
  end
end

function done(summary, latency, requests)
  local wrong = {}
  local excess = totals("answers")
  for status, count in pairs(totals("expected")) do
    excess[status] = (excess[status] or 0) - count
  end
  -- Requests still under way at the end were expected but not answered: fewer is no error, more is one.
  for status, count in pairs(excess) do
    wrong[status] = math.max(0, count)
  end
  print_result(summary, latency, wrong)
end
