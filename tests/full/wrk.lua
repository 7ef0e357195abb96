local targets, turn = {}, 0
function init(args)
    for line in io.lines(args[1]) do
        local query = {}
        local asked = line:match('"query": (%b{})')
        for key, value in asked:gmatch('"([%w_]+)": ([^,}]+)') do
            if value ~= "null" then query[#query + 1] = key .. "=" .. value:gsub('"', "") end
        end
        targets[#targets + 1] = "/v1/events?" .. table.concat(query, "&")
    end
end
function request()
    turn = turn % #targets + 1
    return wrk.format("GET", targets[turn])
end
function done(summary, latency)
    local errors = summary.errors
    print(string.format("%10.0f requests/s   P50 %8.0f us   P99 %8.0f us   not 2xx %d, broken %d",
        summary.requests / summary.duration * 1e6, latency:percentile(50), latency:percentile(99),
        errors.status, errors.connect + errors.read + errors.write + errors.timeout))
end
