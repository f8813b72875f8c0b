# SPDX-License-Identifier: MIT OR Apache-2.0
"""Tests of the cost harness: its arithmetic, its table, and, where the loads are built and the kernel lets us, the
whole of it with a tool that does nothing and with one whose cost is known."""

import os
import random
import signal
import statistics
import sys
import time
from pathlib import Path

import pytest

HERE = Path(__file__).resolve().parent
sys.path.insert(0, str(HERE))

import bench  # noqa: E402
import cycle  # noqa: E402
from harness import bpf, floor, limits, measure, proc, report, stats, tools  # noqa: E402
from harness.load import SPECS, Load, Spec, binary  # noqa: E402

built = pytest.mark.skipif(not all(binary(p).exists() for p in ("load", "types500")), reason="the loads are not built")
needs_bpftrace = pytest.mark.skipif(
    os.geteuid() != 0 or bpf.missing() is not None or not os.path.exists("/usr/bin/bpftrace"),
    reason="needs root, bpftool and bpftrace")


def window(cpu, units=1000, wall=1_000_000_000, interrupts=0):
    return {"cpu_ns": cpu, "units": units, "wall_ns": wall, "interrupts": interrupts, "tool_cpu_ns": None,
            "switches": 0, "errors": 0}


def estimate(value, low=None, high=None):
    return {"median": value, "low": value if low is None else low, "high": value if high is None else high, "n": 9}


# Statistics


def test_quantile_is_linear_between_values():
    assert stats.quantile([0, 10], 0.25) == 2.5
    assert stats.quantile([7], 0.9) == 7
    with pytest.raises(ValueError):
        stats.quantile([], 0.5)


def test_estimate_of_nothing_is_none():
    assert stats.estimate([]) is None
    assert stats.estimate([None, None]) is None


def test_few_values_give_their_range():
    assert stats.estimate([3, 1, None, 2]) == stats.Estimate(2, 1, 3, 3)


def test_interval_is_the_same_every_time_and_holds_the_median():
    values = [random.Random(5).gauss(10, 1) for _ in range(30)]
    one, two = stats.estimate(values), stats.estimate(values)
    assert one == two
    assert one.low <= one.median <= one.high
    assert one.median == statistics.median(values)


def test_interval_covers_the_truth_about_95_percent_of_the_time():
    rng = random.Random(11)
    hits = 0
    for _ in range(200):
        e = stats.estimate([rng.gauss(3, 1) for _ in range(15)], resamples=300)
        hits += e.low <= 3 <= e.high
    assert hits >= 176  # 88 %: the percentile bootstrap of a median is a little narrow


def test_outliers_do_not_move_the_median():
    quiet = [1.0, 1.1, 0.9, 1.05, 0.95, 1.0, 1.02]
    assert stats.estimate(quiet + [50.0]).median == pytest.approx(1.0, abs=0.02)


def test_difference_cancels_linear_drift():
    # The machine gets slower by 100 ns a unit from window to window; the tool costs another 50 %.
    relative, absolute = stats.difference(window(1_000_000), window(1_650_000), window(1_200_000), "cpu_ns")
    assert relative == pytest.approx(0.5)
    assert absolute == pytest.approx(550)


def test_difference_needs_work_in_every_window():
    assert stats.difference(window(1), window(1, units=0), window(1), "cpu_ns") == (None, None)
    assert stats.difference(window(0), window(5), window(0), "cpu_ns") == (None, None)
    assert stats.difference(window(1), None, window(1), "cpu_ns") == (None, None)


def test_difference_is_per_unit():
    # Half the work in the same CPU time: twice the price.
    relative, _ = stats.difference(window(1000), window(1000, units=500), window(1000), "cpu_ns")
    assert relative == pytest.approx(1.0)


def test_rates():
    assert stats.rate(window(1, interrupts=500, wall=2_000_000_000), "interrupts") == 250
    assert stats.rate(window(1, wall=0), "interrupts") is None
    assert stats.rate(window(1), "tool_cpu_ns") is None
    windows = [window(1, interrupts=n) for n in (100, 1100, 300)]
    assert stats.extra_rate(*windows, "interrupts") == 900


def test_known_cost_is_found_in_noise():
    """120 % more under 10 % noise, and a control that shows nothing."""
    rng = random.Random(3)

    def noisy(ns):
        return window(int(ns * 1000 * rng.gauss(1, 0.1)))

    def arm(ns):
        found = [stats.difference(noisy(100), noisy(ns), noisy(100), "cpu_ns")[0] for _ in range(25)]
        return stats.percent(stats.estimate(found))

    tool, control = arm(220), arm(100)
    assert tool.low > 100 and tool.high < 140
    assert control.low < 0 < control.high or abs(control.median) < 5


def test_price_of_interrupts_and_bpf():
    arm = measure.Arm(tools.Sampled, bpf=[2e6, 2e6, 2e6], hits=[1000, 1000, 1000])
    assert measure.paid_percent(arm, 3000).median == pytest.approx(0.5)
    assert measure.paid_percent(arm, None).median == pytest.approx(0.2)
    assert measure.paid_percent(measure.Arm(tools.Perf), 3000) is None


def test_the_floor_is_taken_off_each_run():
    before, after = bpf.Runs(1000, 10), bpf.Runs(101_000, 1010)
    assert bpf.net_ns(before, after, 49) == 51_000
    assert bpf.net_ns(before, after, 0) == 100_000
    assert bpf.net_ns(before, after, 200) == 0


def test_the_floor_is_the_median_of_slices_with_enough_runs():
    totals = [bpf.Runs(*t) for t in ((0, 0), (50_000, 1000), (98_000, 2000), (9_098_000, 3000), (9_099_000, 3001))]
    assert floor.per_run(totals) == 50
    assert floor.per_run([bpf.Runs(0, 0), bpf.Runs(500, 10)]) is None


def test_totals_of_programs(monkeypatch):
    shown = {1: {"run_time_ns": 700, "run_cnt": 7}, 2: {}, 3: {"run_time_ns": 1, "run_cnt": 1}}
    monkeypatch.setattr(bpf, "listing", lambda kind: shown)
    assert bpf.run_totals([1, 2, 99]) == bpf.Runs(700, 7)


def test_only_interrupts_that_hit_the_target_count():
    arm = measure.Arm(tools.Sampled)
    half = window(500_000_000 * os.cpu_count(), interrupts=2000)
    measure.account(arm, window(1), half, window(1))
    assert arm.interrupts == [2000] and arm.hits == [pytest.approx(1000)]


# Table and page


def result(load="storm", **arm):
    one = {"tool": "sampled", "label": "runtime-scope sampled", "ours": True, "windows": 9, "skipped": None,
           "failures": [],
           "cpu_percent": estimate(0.4), "wall_percent": None, "extra_ns_per_unit": None, "price_per_poll_ns": None,
           "bpf_percent": None, "interrupts_per_s": None, "paid_percent": estimate(0.2), "tool_cpu_percent": estimate(0.3),
           "switches_per_s": None, "peak_rss_mb": 20.0, "attach_s": estimate(0.2), "attach_cpu_s": estimate(0.1),
           "detach_s": estimate(0.1), "own": None}
    one.update(arm)
    return {"load": load, "unit": "poll", "rounds": 9, "errors": 0, "window_s": 1.0, "saturating": True,
            "debuginfo": False, "units_per_s": estimate(1e6), "switches_per_s": estimate(10.0),
            "cpu_ns_per_unit": estimate(99.0), "cpu_percent": estimate(100.0), "arms": [one]}


def test_table_between_markers_is_replaced():
    page = f"a\n{report.BEGIN}\nold\n{report.END}\nb\n"
    assert report.replace_between_markers(page, "new") == f"a\n{report.BEGIN}\nnew\n{report.END}\nb\n"


@pytest.mark.parametrize("page", ["", report.BEGIN, f"{report.END}{report.BEGIN}", report.BEGIN * 2 + report.END])
def test_page_without_markers_is_refused(page):
    with pytest.raises(ValueError):
        report.replace_between_markers(page, "new")


def test_the_page_has_its_markers():
    page = bench.PAGE.read_text(encoding="utf-8")
    assert report.replace_between_markers(page, "x")


def test_markdown_has_a_cell_for_each_column():
    document = {"machine": report.machine(), "date": "2000-01-01", "rounds": "9", "window_s": 1.0,
                "interrupt_text": "2 µs", "bpf_floor_ns": 49.4, "results": [result(), result(windows=0, skipped="no | here")]}
    table = [l for l in report.markdown(document).splitlines() if l.startswith("| storm")][:2]
    assert [l.replace("\\|", "").count("|") for l in table] == [len(report.HEAD) + 1] * 2


def test_heading_says_what_was_taken_off():
    document = {"machine": report.machine(), "date": "2000-01-01", "rounds": "9", "window_s": 1.0, "interrupt_text": "2 µs"}
    assert "49 ns a run" in report.heading({**document, "bpf_floor_ns": 49.4})
    assert "nothing is taken off" in report.heading({**document, "bpf_floor_ns": None})


def test_terminal_table_names_what_was_skipped():
    text = report.terminal([result(), result(windows=0, skipped="not installed")])
    assert "not measured: not installed" in text and "+0.4 [+0.4, +0.4]" in text


# Limits


def test_all_well_breaks_no_limit():
    assert limits.check([result()]) == []


@pytest.mark.parametrize("change, words", [
    ({"cpu_percent": estimate(2.0, 1.5, 3.0)}, "slower"),
    ({"paid_percent": estimate(1.4, 1.2, 1.6)}, "BPF and interrupts"),
    ({"peak_rss_mb": 55.0}, "resident"),
    ({"detach_s": estimate(0.9)}, "detach"),
    ({"windows": 0, "skipped": "is not built"}, "not measured"),
    ({"failures": ["exit code 1"]}, "failed"),
    ({"tool": "exact", "price_per_poll_ns": estimate(1100, 1000, 1200)}, "a poll"),
])
def test_a_broken_limit_is_said(change, words):
    broken = limits.check([result(**change)])
    assert len(broken) == 1 and words in broken[0]


def test_noise_breaks_no_limit():
    assert limits.check([result(cpu_percent=estimate(2.0, -3.0, 6.0))]) == []


def test_what_the_control_shows_too_breaks_no_limit():
    noisy = result(cpu_percent=estimate(6.0, 5.0, 7.0))
    assert limits.check([noisy])
    noisy["arms"].append(dict(noisy["arms"][0], tool="control", ours=False, cpu_percent=estimate(2.0, -5.0, 8.0)))
    assert limits.check([noisy]) == []


def test_two_windows_prove_nothing():
    assert limits.check([result(cpu_percent={"median": 9.0, "low": 8.0, "high": 10.0, "n": 2})]) == []


def test_the_ping_pong_has_its_own_limit_and_a_race():
    slow = result("pingpong", cpu_percent=estimate(2.5))
    assert limits.check([slow]) == []
    peer = dict(slow["arms"][0], tool="perf", ours=False, cpu_percent=estimate(1.0))
    slow["arms"].append(peer)
    assert "only 1.0 %" in limits.check([slow])[0]


def test_attach_time_counts_where_it_is_promised():
    assert limits.check([result("types500", attach_s=estimate(0.8))])
    assert not limits.check([result("storm", attach_s=estimate(0.8))])


def test_a_broken_promise_is_written_and_fails(monkeypatch):
    written = []
    monkeypatch.setattr(bench, "run", lambda args: {
        "machine": report.machine(), "date": "2000-01-01", "rounds": "9", "window_s": 1.0, "interrupt_text": "2 µs",
        "bpf_floor_ns": None, "stolen_percent": 0, "failed": [], "results": [result(peak_rss_mb=55.0)]})
    monkeypatch.setattr(bench, "write_page", written.append)
    assert bench.main(["--no-build", "--write", "--check"]) == 1
    assert len(written) == 1
    assert bench.main(["--no-build"]) == 0


# Cycles


def test_growth_leaves_the_warm_up_out():
    flat = [9000] * cycle.WARM_UP + [100] * 20
    assert cycle.growth(flat) == 0
    assert cycle.growth([0] * cycle.WARM_UP + list(range(40))) == 30
    assert cycle.growth([1, 2]) == 0


def test_a_leak_is_seen():
    tally = cycle.Tally(server_kb=list(range(0, 200_000, 1000)), server_fds=[24] * 200)
    cycle.check_flat(tally)
    assert tally.problems and "memory grew" in tally.problems[0]


# With real processes


def test_cpu_clock_of_another_process_counts():
    begin = proc.cpu_ns(os.getpid())
    sum(range(300_000))
    assert proc.cpu_ns(os.getpid()) > begin


@built
def test_a_load_counts_and_ends():
    with Load("load", ("storm",), warm_up=0.1) as load:
        seen = load.window(0.2)
        assert seen["units"] > 1000 and seen["cpu_ns"] > 0 and seen["errors"] == 0
        assert proc.changed_code(load.pid) == []
    assert load.process.returncode == 0


@built
@pytest.mark.parametrize("name", ["pingpong", "spawn", "idle50", "blocks", "echo", "types500"])
def test_every_load_does_work(name):
    spec = SPECS[name]
    with Load(spec.program, spec.args, warm_up=0.1) as load:
        seen = load.window(0.5)
    assert seen["units"] > 0 and seen["errors"] == 0


def session_with_dummy(monkeypatch, *which, fault=""):
    monkeypatch.setenv("DUMMY_FAULT", fault)
    monkeypatch.setattr(tools, "ATTACH_LIMIT_S", 2)
    tools.use_program(HERE / "dummy_tool.py")
    spec = Spec("storm", "load", ("storm",), "poll", polls_per_unit=1, saturating=True)
    session = measure.Session(spec, which, binary("load"), 0.15)
    session.run(0, least_rounds=2)
    return session.result(2000.0)


@built
def test_the_harness_with_a_tool_that_does_nothing(monkeypatch):
    measured = session_with_dummy(monkeypatch, tools.Sampled, tools.Exact)
    arms = {a["tool"]: a for a in measured["arms"]}
    assert arms["control"]["windows"] == 2 and arms["control"]["attach_s"] is None
    assert arms["exact"]["attach_s"]["median"] > 0 and arms["exact"]["price_per_poll_ns"] is not None
    assert arms["sampled"]["peak_rss_mb"] > 1 and not arms["sampled"]["failures"]
    assert report.terminal([measured])


@built
@pytest.mark.parametrize("fault, words", [("silent", "not hello"), ("mute", "not attached"), ("exit", "exit code 1")])
def test_a_bad_tool_is_found_out(monkeypatch, fault, words):
    measured = session_with_dummy(monkeypatch, tools.Auto, fault=fault)
    arm = next(a for a in measured["arms"] if a["tool"] == "auto")
    assert words in arm["failures"][0]
    assert any(words in sentence for sentence in limits.check([measured]))


@built
@needs_bpftrace
@pytest.mark.parametrize("sig", [signal.SIGINT, signal.SIGKILL])
def test_probes_are_seen_and_seen_to_go(tmp_path, sig):
    """The checks of cycle.py are not empty: with probes in the code they see them, and see them go."""
    with Load("load", ("server",), warm_up=0.2) as load:
        tool = tools.BpfTrace(load, tmp_path)
        try:
            tool.start()
            held = bpf.held_by_tool(tool.pid)
            assert held["prog"] and proc.changed_code(load.pid)
            assert bpf.still_there(held)
        finally:
            tool.stop(sig)
        tally = cycle.Tally()
        cycle.wait_gone(tally, 0, held, load)
        assert tally.problems == []


@built
@pytest.mark.skipif(os.geteuid() != 0 or bpf.missing() is not None, reason="needs root and bpftool")
def test_an_empty_program_shows_little_and_goes():
    before = bpf.everything()
    assert 1 < floor.ns_per_run() < 2000
    end = time.monotonic() + 5  # the kernel frees it when no CPU can run it any more
    while bpf.unowned_since(before) and time.monotonic() < end:
        time.sleep(0.05)
    assert bpf.unowned_since(before) == {}


@built
@needs_bpftrace
def test_a_known_cost_is_measured():
    """Two probes on every poll of a poll storm make each poll several times dearer; the control stays near nothing."""
    session = measure.Session(SPECS["storm"], [tools.BpfTrace], binary("load"), 0.3)
    session.run(0, least_rounds=1)
    arms = {a["tool"]: a for a in session.result(None)["arms"]}
    assert arms["bpftrace"]["cpu_percent"]["median"] > 100
    assert arms["bpftrace"]["price_per_poll_ns"]["median"] > 200
    assert abs(arms["control"]["cpu_percent"]["median"]) < 60
