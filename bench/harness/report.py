# SPDX-License-Identifier: MIT OR Apache-2.0
"""The result as a table for the terminal and for doc/OVERHEAD.md."""

import os
import platform

BEGIN = "<!-- bench:begin -->"
END = "<!-- bench:end -->"
HEAD = ("load", "tool", "target's CPU, % more", "wall, % more", "BPF + interrupts, % CPU", "tool, % CPU", "RSS, MB",
        "attach, s (CPU)", "detach, s", "ns/poll")


def interval(estimated, digits=1):
    if estimated is None:
        return "–"
    return f"{estimated['median']:+.{digits}f} [{estimated['low']:+.{digits}f}, {estimated['high']:+.{digits}f}]"


def middle(estimated, digits=2):
    return "–" if estimated is None else f"{estimated['median']:.{digits}f}"


def number(value, digits=2):
    return "–" if value is None else f"{value:.{digits}f}"


def attach(arm):
    if arm["attach_s"] is None or arm["attach_cpu_s"] is None:
        return "–"
    return f"{middle(arm['attach_s'])} ({middle(arm['attach_cpu_s'])})"


def cells(result, arm):
    label = "control (A/A)" if arm["tool"] == "control" else arm["label"]
    if not arm["windows"]:
        why = arm["skipped"] or (arm["failures"] or ["no window"])[-1]
        return (result["load"], label, f"not measured: {why}") + ("",) * (len(HEAD) - 3)
    price = arm["price_per_poll_ns"]
    return (result["load"], label, interval(arm["cpu_percent"]), interval(arm["wall_percent"]),
            middle(arm["paid_percent"]), middle(arm["tool_cpu_percent"]), number(arm["peak_rss_mb"], 1),
            attach(arm), middle(arm["detach_s"]), "–" if price is None else f"{price['median']:.0f}")


def rows(results):
    return [cells(result, arm) for result in results for arm in result["arms"]]


def terminal(results):
    """Columns as wide as they must be; a message in the third column may run over the others."""
    table = [HEAD] + rows(results)
    fits = [r for r in table if r[3] or r is HEAD]
    widths = [max(len(r[i]) for r in (fits if i > 1 else table)) for i in range(len(HEAD))]
    lines = []
    for row in table:
        lines.append("  ".join(c.ljust(w) if i < 2 else c.rjust(w) for i, (c, w) in enumerate(zip(row, widths)))
                     if row in fits else "  ".join((row[0].ljust(widths[0]), row[1].ljust(widths[1]), row[2])))
    return "\n".join(line.rstrip() for line in lines)


def heading(document):
    """What a reader of the table must know of the machine and of the run."""
    machine, floor_ns = document["machine"], document["bpf_floor_ns"]
    floor = ("nothing is taken off BPF run times" if floor_ns is None else
             f"an empty BPF program shows {floor_ns:.0f} ns a run, which is taken off")
    return (f"Linux {machine['kernel']}, {machine['cpus']} CPUs ({machine['cpu']}), {document['date']}; "
            f"median of {document['rounds']} rounds with windows of {document['window_s']} s "
            f"(peers: every third round); an interrupt costs {document['interrupt_text']} here; {floor}.")


def markdown(document):
    """What stands between the markers."""
    out = [heading(document), ""]
    out += ["| " + " | ".join(HEAD) + " |", "|---|---|" + "---:|" * (len(HEAD) - 2)]
    out += ["| " + " | ".join(c.replace("|", "\\|") for c in row) + " |" for row in rows(document["results"])]
    out += ["", "The loads bare:", "", "| load | units a second | CPU ns a unit | context switches a second |",
            "|---|---:|---:|---:|"]
    for r in document["results"]:
        out.append(f"| {r['load']} | {middle(r['units_per_s'], 0)} {r['unit']}s | {middle(r['cpu_ns_per_unit'], 0)} | "
                   f"{middle(r['switches_per_s'], 0)} |")
    return "\n".join(out)


def replace_between_markers(text, content):
    """The page with a new table; ValueError when it has not exactly one pair of markers."""
    if text.count(BEGIN) != 1 or text.count(END) != 1 or text.index(BEGIN) > text.index(END):
        raise ValueError(f"needs one {BEGIN} and after it one {END}")
    head, _, rest = text.partition(BEGIN)
    _, _, tail = rest.partition(END)
    return f"{head}{BEGIN}\n{content}\n{END}{tail}"


def machine():
    model = platform.processor() or platform.machine()
    try:
        with open("/proc/cpuinfo") as f:
            model = next((l.split(":", 1)[1].strip() for l in f if l.startswith("model name")), model)
    except OSError:
        pass
    # The plain version: what follows it names the one who built the kernel.
    return {"kernel": platform.release().split("-")[0], "cpus": os.cpu_count(), "cpu": model,
            "arch": platform.machine()}
