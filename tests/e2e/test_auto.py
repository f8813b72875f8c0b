# SPDX-License-Identifier: MIT OR Apache-2.0
"""Auto mode where the threshold is too short for sampling: exact while that is affordable, and no block lost between."""
from live import MS

COUNT = 3
STORM_MS = 4000


def expect_mode(watch, mode, after_ns):
    return watch.expect("stats", 1, lambda s: s["mode"] == mode and s["at_ns"] > after_ns)["at_ns"]


def test_exact_timing_comes_and_goes_with_the_poll_rate(target, watch):
    t = target("multi")
    w = watch("--pid", t.pid, "--mode", "auto", "--threshold", "2ms")
    at = expect_mode(w, "exact", 0)
    calm = t.block("sleep", 20, COUNT)
    t.send(f"storm {STORM_MS}")
    at = expect_mode(w, "sampled", at)
    stormy = t.block("sleep", 20, COUNT)  # switches may go untraced meanwhile
    t.expect("calm")
    expect_mode(w, "exact", at)
    calm_again = t.block("sleep", 20, COUNT)
    pairs = w.expect_blocks(calm + stormy + calm_again)
    bye = w.finish()
    assert bye["totals"]["blocks"] >= len(pairs)
    assert not w.unexplained(calm + stormy + calm_again)
    assert all(b["detection"] == "exact" for h, b in pairs if h in calm + calm_again)
    notes = [s["note"] for s in w.events("stats") if s["note"]]
    assert sum("the budget has room" in note for note in notes) >= 2, notes
    assert any("polls are sampled" in note for note in notes), notes
    # What probes cost before they went is in the stats; a second without them stays near the budget.
    sampled = [s["overhead"] for s in w.events("stats") if s["mode"] == "sampled"]
    assert any(o["bpf_ns"] < 100 * MS for o in sampled), sampled
