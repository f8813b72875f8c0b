# SPDX-License-Identifier: MIT OR Apache-2.0
"""Finds in one executable's DWARF what the profiler reads: a flat {fact: number}, -1 = absent."""

import re

from dwarf import Types

ABSENT = -1
RUNTIME = "tokio::runtime::"
CORE_MT = (RUNTIME + "scheduler::multi_thread::worker::Core", RUNTIME + "thread_pool::worker::Core")


class Missing(Exception):
    pass


def _at(fields, path, default=ABSENT):
    """Offset of the member with exactly this path (the outermost wrapper of Cell and the like)."""
    for field in fields:
        if field.path == path:
            return field.offset
    return default


def _like(fields, pattern, default=ABSENT, what="offset"):
    """First member whose whole path matches."""
    for field in fields:
        if re.fullmatch(pattern, field.path):
            return getattr(field, what)
    return default


def _variant(fields, pattern):
    """Discriminant of the first variant whose path (up to its '<') matches `pattern`."""
    for field in fields:
        found = re.fullmatch(pattern + r"=(?P<value>\d+)>", field.path)
        if found:
            return int(found.group("value"))
    return ABSENT


def _option(fields, path):
    """(tag, value) of an Option member; a niche-filled one has no tag of its own."""
    tag = _like(fields, rf"{path}(\.(value|__0|inner))*\.<tag>")
    value = _like(fields, rf"{path}(\.(value|__0|inner))*<Some=[^>]*>\.__0")
    return (ABSENT, value) if tag == value else (tag, value)


def _pop_index(fields, path):
    """usize that pop_front() moves: VecDeque's `tail` up to Rust 1.66, then `head`."""
    for name in ("tail", "head"):
        offset = _like(fields, rf"{path}(\.(__0|value|inner))*\.{name}")
        if offset != ABSENT:
            return offset
    return ABSENT


class Extractor:
    def __init__(self, path):
        self._types = Types(path)
        # built without the multi-thread scheduler
        self._solo = self._types.find(*CORE_MT) is None
        self.facts = {}

    def close(self):
        self._types.close()

    def _fields(self, *names):
        die = self._types.find(*names)
        return self._types.flatten(die) if die is not None else []

    def _need(self, *names):
        fields = self._fields(*names)
        if not fields:
            raise Missing(names[0])
        return fields

    def _set(self, **facts):
        self.facts.update(facts)

    def run(self):
        self._context()
        self._thread_locals()
        self._scheduler_context()
        if not self._solo:
            self._worker()
        if not self._solo:
            self._core_mt()
        self._core_ct()
        self._local_set()
        return self.facts

    def _context(self):
        fields = self._fields(RUNTIME + "context::Context")
        if not fields:
            return
        handle = "current.handle" if _at(fields, "current") != ABSENT else "handle"
        wrapped = rf"{handle}\.value\.value"
        tag, arc = _like(fields, rf"{wrapped}\.<tag>"), _like(
            fields, rf"{wrapped}<Some=.*>\.__0<CurrentThread=[^>]*>\.__0")
        id_tag, task_id = _option(fields, "current_task_id")
        budget, budget_value = _option(fields, "budget")
        self._set(
            size=fields[0].size,
            thread_id=_at(fields, "thread_id"),
            handle_tag=ABSENT if tag == arc else tag,  # of one variant: NULL for none
            handle=arc,
            handle_ct=_variant(fields, rf"{wrapped}<Some=.*>\.__0<CurrentThread"),
            handle_mt=_variant(fields, rf"{wrapped}<Some=.*>\.__0<MultiThread"),
            handle_none=_variant(fields, rf"{wrapped}<None"),
            handle_depth=_at(fields, "current.depth"),
            scheduler=_at(fields, "scheduler"),
            id_tag=id_tag, id=task_id,
            runtime=_at(fields, "runtime"),
            runtime_not_entered=_variant(fields, r"runtime(\.value)*<NotEntered"),
            budget=budget, budget_value=budget_value,
            rng=_at(fields, "rng"), defer=_at(fields, "defer"),
        )

    def _thread_locals(self):
        self._tls("tls_context", RUNTIME + "context::CONTEXT", "Context")
        self._tls("tls_worker", "worker::CURRENT::FOO", "Cell<*const ()>")
        self._tls("tls_current_thread", "current_thread::CURRENT::FOO", "Cell<*const ()>")
        self._tls("tls_basic", "basic_scheduler::CURRENT::FOO", "Cell<*const ()>")
        self._tls("tls_local", "tokio::task::local::CURRENT", "LocalData")
        self._tls("tls_coop", "tokio::coop::CURRENT", None)
        self._tls("tls_entered", "enter::ENTERED", None)

    def _tls(self, key, name, value_type):
        """Offset of the value in its TLS symbol, and the symbol's size."""
        best = None
        for var in self._types.thread_locals:
            if name in var.name:
                fields = self._types.flatten(var.die)
                if best is None or fields[0].size > best[0].size:
                    best = fields
        if best is None:
            return
        value = 0
        if value_type:
            value = next((f.offset for f in best if f.type == value_type), ABSENT)
        self._set(**{key + "_value": value, key + "_size": best[0].size})

    def _scheduler_context(self):
        fields = self._fields(RUNTIME + "scheduler::Context")
        tagged = {}
        if fields:
            tagged = {"ctx_tag": _like(fields, r"\.<tag>"),
                      "ctx_tag_ct": _variant(fields, "<CurrentThread"),
                      "ctx_tag_mt": _variant(fields, "<MultiThread")}
        self._set(**tagged)
        if not self._solo:
            self._context_mt(fields)
        ct, base_ct = self._variant_or(fields, "CurrentThread",
                                       RUNTIME + "scheduler::current_thread::Context",
                                       RUNTIME + "basic_scheduler::Context")
        self._set(
            ctx_size=fields[0].size if fields else ct[0].size,
            ctx_handle_ct=base_ct + max(_at(ct, "handle"), _at(ct, "spawner")),
            ctx_core_borrow_ct=base_ct + _like(ct, r"core\.borrow"),
            ctx_core_ct=base_ct + _like(ct, r"core\.value"),
        )

    def _context_mt(self, fields):
        mt, base_mt = self._variant_or(fields, "MultiThread",
                                       RUNTIME + "scheduler::multi_thread::worker::Context",
                                       RUNTIME + "thread_pool::worker::Context")
        self._set(
            ctx_worker=base_mt + _at(mt, "worker"),
            ctx_core_borrow_mt=base_mt + _like(mt, r"core\.borrow"),
            ctx_core_mt=base_mt + _like(mt, r"core\.value"),
        )

    def _variant_or(self, fields, variant, *names):
        base = _like(fields, rf"<{variant}=[^>]*>\.__0") if fields else 0
        return self._need(*names), base

    def _worker(self):
        """Offsets from the pointer in the context, which leads to the ArcInner's start."""
        names = ("scheduler::multi_thread::worker::Worker", "thread_pool::worker::Worker")
        inner = []
        for name in names:
            inner = inner or self._fields(f"alloc::sync::ArcInner<{RUNTIME}{name}>")
        self._set(
            worker_handle=max(_at(inner, "data.handle"), _at(inner, "data.shared")),
            worker_index=_at(inner, "data.index"),
            worker_core=_at(inner, "data.core"),
        )

    def _instant(self, fields, path):
        some = r"(<Some=[^>]*>)?"
        deep = rf"{path}{some}(\.(__0|inner|t|value))*"
        return {
            "sec": _like(fields, deep + r"\.tv_sec"),
            "nsec": _like(fields, deep + r"\.tv_nsec"),
        }

    def _core_mt(self):
        fields = self._need(*CORE_MT)
        started = self._instant(fields, r"stats\.processing_scheduled_tasks_started_at")
        batch = self._instant(fields, r".*batch\.processing_scheduled_tasks_started_at")
        self._set(
            core_size_mt=fields[0].size,
            core_tick_mt=_at(fields, "tick"),
            core_tick_size_mt=_like(fields, "tick", what="size"),
            core_lifo_mt=_at(fields, "lifo_slot"),
            core_lifo_enabled_mt=_at(fields, "lifo_enabled"),
            core_run_queue_mt=_at(fields, "run_queue"),
            core_rand_mt=_at(fields, "rand"),
            core_batch_mt=_at(fields, "stats.tasks_polled_in_batch"),
            core_ewma_mt=_at(fields, "stats.task_poll_time_ewma"),
            core_started_mt=started["sec"], core_started_nsec_mt=started["nsec"],
            core_batch_started_mt=batch["sec"], core_batch_started_nsec_mt=batch["nsec"],
            core_poll_count_mt=_like(fields, r".*batch\.poll_count"),
            core_poll_started_mt=_like(fields, r".*poll_timer.*poll_started_at.*\.tv_sec"),
        )

    def _core_ct(self):
        fields = self._need(RUNTIME + "scheduler::current_thread::Core",
                            RUNTIME + "basic_scheduler::Core")
        batch = self._instant(fields, r".*processing_scheduled_tasks_started_at")
        self._set(
            core_size_ct=fields[0].size,
            core_tick_ct=_at(fields, "tick"),
            core_tick_size_ct=_like(fields, "tick", what="size"),
            core_queue_pop_ct=_pop_index(fields, "tasks"),
            core_started_ct=batch["sec"], core_started_nsec_ct=batch["nsec"],
            core_poll_count_ct=_like(fields, r".*metrics\.poll_count"),
            core_poll_started_ct=_like(fields, r".*poll_timer.*poll_started_at.*\.tv_sec"),
        )

    def _local_set(self):
        data = self._fields("tokio::task::local::LocalData")
        local_set = self._fields("tokio::task::local::LocalSet")
        box = self._fields("alloc::rc::RcInner<tokio::task::local::Context>",
                           "alloc::rc::RcBox<tokio::task::local::Context>")
        shared = self._fields("alloc::sync::ArcInner<tokio::task::local::Shared>")
        _, ctx = _option(data, "ctx")
        self._set(
            local_size=data[0].size if data else ABSENT,
            local_ctx=ctx,
            local_wake_on_schedule=_at(data, "wake_on_schedule"),
            local_set_size=local_set[0].size if local_set else ABSENT,
            local_set_tick=_at(local_set, "tick"),
            local_set_context=_at(local_set, "context"),
            local_context_shared=_at(box, "value.shared"),
            local_shared_queue_pop=_pop_index(shared, r"data\.local_state\.local_queue"),
        )
