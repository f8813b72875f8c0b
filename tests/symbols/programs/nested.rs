// SPDX-License-Identifier: MIT OR Apache-2.0
//! Functions inlined into each other around one instruction with a name, "here".
#![allow(named_asm_labels)]

#[inline(always)]
fn innermost() {
    unsafe { std::arch::asm!(".globl here", "here: nop") } // innermost
}

#[inline(always)]
fn middle() {
    innermost() // middle
}

#[inline(never)]
fn outermost() {
    middle() // outermost
}

fn main() {
    outermost();
}
