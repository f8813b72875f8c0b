// SPDX-License-Identifier: MIT OR Apache-2.0
//! A task that blocks its worker in file I/O.

use std::fs::{self, File, OpenOptions};
use std::io::{self, Seek, SeekFrom, Write};
use std::path::{Path, PathBuf};
use std::time::{Duration, Instant};

use crate::blocking::every;
use crate::hooks::{self, TaskId};
use crate::report;

const CHUNK: usize = 1 << 20;

/// Writes to a file and waits for the disk, chunk after chunk, for at least 50 ms.
pub async fn write_slow_file(id: TaskId) {
    let id = id.get().await;
    let mut file = match open_unnamed_file() {
        Ok(file) => file,
        Err(why) => {
            eprintln!("test-async-app: no temporary file, so no block of kind file: {}", why);
            return;
        }
    };
    let data = vec![0x5a; CHUNK];
    let mut timer = every(3100);
    loop {
        timer.tick().await;
        hooks::set_current_task_id(id);
        let started = Instant::now();
        if let Err(why) = write_until(&mut file, &data, started, Duration::from_millis(50)) {
            eprintln!("test-async-app: cannot write the temporary file: {}", why);
            return;
        }
        report::block("file", id, started);
    }
}

#[inline(never)]
fn write_until(file: &mut File, data: &[u8], started: Instant, length: Duration) -> io::Result<()> {
    file.seek(SeekFrom::Start(0))?;
    while started.elapsed() < length {
        file.write_all(data)?;
        file.sync_data()?;
    }
    Ok(())
}

/// /var/tmp first: /tmp is often kept in memory, where no write ever waits. The name is removed at
/// once, so that nothing is left behind however this program ends.
fn open_unnamed_file() -> io::Result<File> {
    let name = format!("test-async-app-{}", std::process::id());
    let mut last = io::Error::from(io::ErrorKind::NotFound);
    for dir in [PathBuf::from("/var/tmp"), std::env::temp_dir()] {
        match create_and_unlink(&dir.join(&name)) {
            Ok(file) => return Ok(file),
            Err(why) => last = why,
        }
    }
    Err(last)
}

fn create_and_unlink(path: &Path) -> io::Result<File> {
    let file = OpenOptions::new().write(true).create_new(true).open(path)?;
    fs::remove_file(path)?;
    Ok(file)
}
