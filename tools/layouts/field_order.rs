#![allow(dead_code)]
use std::cell::*; use std::sync::*; use std::num::NonZeroU64; use std::mem::MaybeUninit; use std::ptr::addr_of;
struct MtCtx { worker: Arc<u64>, core: RefCell<Option<Box<u64>>>, defer: RefCell<Vec<u64>> }
struct Stats { started: std::time::Instant, polled: usize, ewma: f64 }
struct Core { tick: u32, lifo_slot: Option<Box<u8>>, lifo_enabled: bool, run_queue: Arc<u64>, is_searching: bool, is_shutdown: bool, park: Option<Arc<u8>>, stats: Stats, giv: u32, rand: (u32,u32) }
enum H { A(Arc<u8>), B(Arc<u16>) }
struct Hc { handle: RefCell<Option<H>>, depth: Cell<usize> }
#[derive(Clone,Copy)] enum E { Entered{allow: bool}, Not }
struct Ctx39 { thread_id: Cell<Option<NonZeroU64>>, current: Hc, scheduler: Cell<*const u8>, id: Cell<Option<u64>>, runtime: Cell<E>, rng: Cell<Option<(u32,u32)>>, budget: Cell<Option<u8>> }
struct Ctx40 { thread_id: Cell<Option<NonZeroU64>>, current: Hc, scheduler: Cell<*const u8>, id: Cell<Option<NonZeroU64>>, runtime: Cell<E>, rng: Cell<Option<(u32,u32)>>, budget: Cell<Option<u8>> }
struct Worker { handle: Arc<u8>, index: usize, core: std::sync::atomic::AtomicPtr<u8> }
struct CtCore { tasks: std::collections::VecDeque<u64>, tick: u32, driver: Option<(u64,u64)>, giv: u32, up: bool }
macro_rules! o { ($t:ty, $($f:tt).+) => {{ let u = MaybeUninit::<$t>::uninit(); let p = u.as_ptr(); unsafe { print!(" {}", addr_of!((*p).$($f).+) as usize - p as usize) } }} }
fn main() {
 print!("mtctx:"); o!(MtCtx,worker); o!(MtCtx,core); o!(MtCtx,defer);
 print!(" core:"); o!(Core,tick); o!(Core,lifo_slot); o!(Core,run_queue); o!(Core,park); o!(Core,stats.started); o!(Core,stats.polled); o!(Core,giv); o!(Core,rand);
 print!(" c39:"); o!(Ctx39,thread_id); o!(Ctx39,current); o!(Ctx39,current.depth); o!(Ctx39,scheduler); o!(Ctx39,id); o!(Ctx39,runtime); o!(Ctx39,rng); o!(Ctx39,budget);
 print!(" c40:"); o!(Ctx40,thread_id); o!(Ctx40,current); o!(Ctx40,scheduler); o!(Ctx40,id); o!(Ctx40,runtime); o!(Ctx40,rng); o!(Ctx40,budget);
 print!(" wk:"); o!(Worker,handle); o!(Worker,index); o!(Worker,core);
 print!(" ct:"); o!(CtCore,tasks); o!(CtCore,tick); o!(CtCore,driver);
 println!();
}
