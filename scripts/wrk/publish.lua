-- Posts events to a hub's /publish, for wrk; scripts/wrk/publish runs it.
--
-- TOKEN is a token that grants the topic `wrk`; EVENT_BYTES is how long the data of each event is, 128 if unset.
-- Not here: whether the events arrive. `corecast-bench run publish` checks that.

local token = assert(os.getenv("TOKEN"), "TOKEN is not set: it is to grant publishing to the topic wrk")
local event_bytes = tonumber(os.getenv("EVENT_BYTES") or "128")

wrk.method = "POST"
wrk.path = "/publish"
wrk.headers["Authorization"] = "Bearer " .. token
wrk.headers["Content-Type"] = "application/json"
wrk.body = '{"topics":["wrk"],"data":"' .. string.rep(".", event_bytes) .. '"}'

-- A fast refusal is no throughput: any error fails the run.
function done(summary, latency, requests)
    local errors = summary.errors
    local failed = errors.connect + errors.read + errors.write + errors.status + errors.timeout
    local seconds = summary.duration / 1e6
    print(string.format("%.0f events/s, p50 %.2f ms, p99 %.2f ms, %d failed", (summary.requests - errors.status) / seconds,
        latency:percentile(50) / 1e3, latency:percentile(99) / 1e3, failed))
    if failed > 0 or summary.requests == 0 then
        os.exit(1)
    end
end
