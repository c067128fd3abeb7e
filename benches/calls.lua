-- The calls that wrk makes: wrk … -s benches/calls.lua URL -- KIND FILE
--
-- FILE holds who calls, as `reference fill` prints it: client id, client secret, access token, refresh token on a line.
-- For `from` two words follow: the e-mail address to log in with, `-` for one that nobody has and another in each call;
-- and the address to call from, `-` for another in each call. The server takes it from X-Forwarded-For.
-- At the end it prints `COUNTS`, then how many answers were good, how many 503, how many anything else.

local base = "/api/v1/auth"
local people, at = {}, 0
local threads = {}
local kind, started
good, busy, other = 0, 0, 0

function setup(thread) table.insert(threads, thread) end

local function headers_of(who)
  local source = who.source ~= "-" and who.source
    or string.format("10.%d.%d.%d", math.random(0, 255), math.random(0, 255), math.random(1, 254))
  return {
    ["X-Forwarded-For"] = kind == "from" and source or nil,
    ["Content-Type"] = "application/json",
    ["X-Client-ID"] = who.id,
    ["X-Client-Secret"] = who.secret,
    ["Authorization"] = "Bearer " .. who.access,
    -- By this the answer finds whose it is.
    ["X-Request-ID"] = tostring(at),
  }
end

local calls = {
  read = function(who) return "GET", "/profile/", nil end,
  update = function(who)
    -- What a profile is already is not written again.
    return "PUT", "/profile/update/", string.format('{"industry":"Measuring %d.%d"}', started, at)
  end,
  refresh = function(who) return "POST", "/refresh-token/", '{"refresh_token":"' .. who.refresh .. '"}' end,
  login = function(who) return "POST", "/login/", '{"email":"bench@example.com","password":"quay-lantern-58-moth"}' end,
  from = function(who)
    local email, password = who.email, "quay-lantern-58-moth"
    if email == "-" then email, password = string.format("nobody%d.%d@example.com", started, at), "wrong" end
    return "POST", "/login/", string.format('{"email":"%s","password":"%s"}', email, password)
  end,
  signup = function(who)
    local email = string.format("joins%d.%d@example.com", started, at)
    return "POST", "/signup/", '{"email":"' .. email .. '","password":"quay-lantern-58-moth",'
      .. '"organisation":"Bench","contact_name":"Ben Bench","contact_phone":"+27 21 555 0100"}'
  end,
}

local function read_answer(status, headers, body)
  if status < 300 then good = good + 1 elseif status == 503 then busy = busy + 1 else other = other + 1 end
  if kind == "refresh" and status == 200 then
    local number = tonumber(headers["X-Request-ID"] or headers["x-request-id"])
    people[(number - 1) % #people + 1].refresh = body:match('"refresh_token":"(%w+)"')
  end
end

function init(arguments)
  kind, started = arguments[1], os.time()
  for line in io.lines(arguments[2]) do
    local id, secret, access, refresh, email, source = line:match("(%S+) (%S+) (%S+) (%S+) ?(%S*) ?(%S*)")
    people[#people + 1] =
      { id = id, secret = secret, access = access, refresh = refresh, email = email, source = source }
  end
  -- Reading answers costs wrk more than asking does; profile reads are too quick for that.
  if kind ~= "read" then response = read_answer end
end

function request()
  at = at + 1
  local who = people[(at - 1) % #people + 1]
  local method, path, body = calls[kind](who)
  return wrk.format(method, base .. path, headers_of(who), body)
end

function done()
  local thread = threads[1]
  io.write(string.format("COUNTS %d %d %d\n", thread:get("good"), thread:get("busy"), thread:get("other")))
end
