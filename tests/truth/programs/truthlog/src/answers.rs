// SPDX-License-Identifier: MIT OR Apache-2.0
//! What a profiler should say: where each call that blocks is, and what each kind of future is called.
//!
//! One line each in `p{pid}.answers`, written when it is met first; the records refer to it by its number. Its fields, with
//! tabs between: number, kind (`block` or `task`), path of the function or type of the future, file, line.

use std::collections::HashMap;
use std::fs::File;
use std::io::Write;
use std::sync::{Mutex, PoisonError};

use crate::log::{directory, ThreadLog};

#[derive(PartialEq, Eq, Hash, Clone, Copy)]
pub struct Answer {
    pub kind: &'static str,
    pub path: &'static str,
    pub file: &'static str,
    pub line: u32,
}

struct Answers {
    file: File,
    numbers: HashMap<Answer, u32>,
}

/// The number of an answer, from 1; 0 when nothing is logged. Each thread remembers those it has had, because the lock may
/// be held by a thread that waits for a CPU, and whoever waits for it would block.
pub fn number_of(answer: Answer) -> u32 {
    let Some(log) = ThreadLog::current() else { return 0 };
    *log.answers.entry(answer).or_insert_with(|| number_of_all(answer))
}

fn number_of_all(answer: Answer) -> u32 {
    static ALL: Mutex<Option<Answers>> = Mutex::new(None);
    let mut all = ALL.lock().unwrap_or_else(PoisonError::into_inner);
    if all.is_none() {
        *all = open();
    }
    all.as_mut().map_or(0, |answers| answers.number_of(answer))
}

fn open() -> Option<Answers> {
    let path = format!("{}/p{}.answers", directory()?.to_string_lossy(), std::process::id());
    let file = File::create(path).expect("truthlog: cannot create a file in TRUTH_DIR");
    Some(Answers { file, numbers: HashMap::new() })
}

impl Answers {
    fn number_of(&mut self, answer: Answer) -> u32 {
        let next = self.numbers.len() as u32 + 1;
        let number = *self.numbers.entry(answer).or_insert(next);
        if number == next {
            let Answer { kind, path, file, line } = answer;
            let text = format!("{number}\t{kind}\t{path}\t{file}\t{line}\n");
            self.file.write_all(text.as_bytes()).expect("truthlog: cannot write to TRUTH_DIR");
        }
        number
    }
}

/// The path of the function that a local function of it was given of: without the name of that one.
pub fn path_around<F>(_local: F) -> &'static str {
    std::any::type_name::<F>().trim_end_matches("::here")
}

/// The path of the function this is written in, as `std::any::type_name` has it.
#[macro_export]
macro_rules! function {
    () => {{
        fn here() {}
        $crate::path_around(here)
    }};
}
