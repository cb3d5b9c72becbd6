-- What wrk asks: the page or, with the argument "post", to add an item.
function init(arguments)
  if arguments[1] == "post" then
    wrk.method = "POST"
    wrk.headers["Content-Type"] = "application/json"
    wrk.body = '{"title": "An item of the list", "description": "Two lines of it", "due": "2030-01-31"}'
  end
end

-- What it says in the end, for benches/load/run: requests, requests a second, the median and the 99th
-- percentile in ms, answers that are errors, and connections that broke or waited too long.
function done(summary, latency)
  local errors = summary.errors
  print(string.format("%d %.0f %.2f %.2f %d %d",
    summary.requests, summary.requests / summary.duration * 1e6,
    latency:percentile(50) / 1000, latency:percentile(99) / 1000,
    errors.status, errors.connect + errors.read + errors.write + errors.timeout))
end
