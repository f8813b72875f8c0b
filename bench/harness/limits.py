# SPDX-License-Identifier: MIT OR Apache-2.0
"""What the tool has promised, checked against a result. Of a target that uses several CPUs, one CPU's share counts. A limit on a noisy figure is broken when even the low end of
its interval is above it by more than the control, which costs nothing, seems to cost; fewer than three windows prove
nothing. What needs no difference of windows is taken as measured."""

SLOWDOWN = {"pingpong": 3.0}  # % for sampled and auto; every other load:
SLOWDOWN_ELSEWHERE = 1.0
PRICE_PER_POLL_NS = 800
TOOL_CPU = 1.0  # % of one core, with 50 threads
RSS_MB, RSS_DEBUGINFO_MB = 40, 80
ATTACH_S = DETACH_S = 0.5
LEAST_WINDOWS = 3


def check(results):
    """Sentences, one for each promise that does not hold."""
    broken = []
    for result in results:
        for arm in (a for a in result["arms"] if a["ours"]):
            where = f"{arm['tool']} on {result['load']}"
            broken += [f"{where}: {text}" for text in failures(arm) + cost(result, arm) + size(result, arm)]
        if result["load"] == "pingpong":
            broken += beaten(result)
        if result["errors"]:
            broken.append(f"{result['load']}: {result['errors']} errors")
    return broken


def failures(arm):
    if arm["skipped"]:
        return [f"not measured: {arm['skipped']}"]
    return [f"failed: {text}" for text in arm["failures"]]


def proven(figure):
    return figure is not None and figure["n"] >= LEAST_WINDOWS


def noise(result, key):
    """The most the control seems to cost."""
    figures = [a[key] for a in result["arms"] if a["tool"] == "control" and a[key]]
    return max([0.0] + [f["high"] for f in figures])


def cost(result, arm):
    if arm["tool"] == "exact":
        price = arm["price_per_poll_ns"]
        if proven(price) and price["low"] > PRICE_PER_POLL_NS + noise(result, "extra_ns_per_unit"):
            return [f"{price['median']:.0f} ns a poll, limit {PRICE_PER_POLL_NS}"]
        return []
    limit = SLOWDOWN.get(result["load"], SLOWDOWN_ELSEWHERE)
    broken = []
    slowdown, paid = arm["cpu_percent"], arm["paid_percent"]
    if proven(slowdown) and slowdown["low"] > limit + noise(result, "cpu_percent"):
        broken.append(f"target {slowdown['median']:.2f} % slower, limit {limit} %")
    cpus = max((result["cpu_percent"] or {"median": 0})["median"] / 100, 1)
    if proven(paid) and paid["low"] / cpus > limit:
        broken.append(f"BPF and interrupts {paid['median'] / cpus:.2f} % of a CPU, limit {limit} %")
    own_cpu = arm["tool_cpu_percent"]
    if result["load"] == "idle50" and proven(own_cpu) and own_cpu["low"] > TOOL_CPU:
        broken.append(f"the tool itself {own_cpu['median']:.2f} % of a CPU, limit {TOOL_CPU} %")
    return broken


def size(result, arm):
    broken = []
    limit = RSS_DEBUGINFO_MB if result["debuginfo"] else RSS_MB
    if arm["peak_rss_mb"] and arm["peak_rss_mb"] > limit:
        broken.append(f"{arm['peak_rss_mb']:.0f} MB resident, limit {limit}")
    if result["load"] in ("types500", "big") and arm["attach_s"] and arm["attach_s"]["median"] > ATTACH_S:
        broken.append(f"attach {arm['attach_s']['median']:.2f} s, limit {ATTACH_S}")
    if arm["detach_s"] and arm["detach_s"]["median"] > DETACH_S:
        broken.append(f"detach {arm['detach_s']['median']:.2f} s, limit {DETACH_S}")
    return broken


def beaten(result):
    """On the ping-pong every other tool must cost the target more than sampled and auto do."""
    costs = {a["tool"]: a["cpu_percent"]["median"] for a in result["arms"] if a["cpu_percent"]}
    peers = {a["tool"] for a in result["arms"] if not a["ours"] and a["tool"] != "control"}
    return [f"{ours} on pingpong costs {costs[ours]:.1f} %, {peer} only {costs[peer]:.1f} %"
            for ours in ("sampled", "auto") for peer in sorted(peers)
            if ours in costs and peer in costs and costs[ours] > costs[peer]]
