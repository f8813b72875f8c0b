// SPDX-License-Identifier: MIT OR Apache-2.0
//! A page that takes long to come: a page fault answered late by a plain thread, by way of
//! userfaultfd; where that is not permitted, pages of a file dropped from the page cache.

use std::fs::File;
use std::io::Write;
use std::os::fd::{AsRawFd, FromRawFd};
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::Arc;
use std::time::{Duration, Instant};

use truthlog::{blocks, Cause};

use crate::block::scratch_file;
use crate::control::spawn_thread;

const PAGE: usize = 4096;
const FILE_PAGES: usize = 8192;

// <linux/userfaultfd.h>
const UFFD_API: u64 = 0xAA;
const UFFD_USER_MODE_ONLY: libc::c_int = 1;
const UFFDIO_API: libc::c_ulong = 0xc018_aa3f;
const UFFDIO_REGISTER: libc::c_ulong = 0xc020_aa00;
const UFFDIO_ZEROPAGE: libc::c_ulong = 0xc020_aa04;
const UFFDIO_REGISTER_MODE_MISSING: u64 = 1;
const UFFD_MSG_BYTES: usize = 32;

pub enum SlowPages {
    Handled { page: usize, delay_us: Arc<AtomicU64> },
    File(File),
}

impl SlowPages {
    pub fn new() -> SlowPages {
        handled().unwrap_or_else(|| SlowPages::File(big_file()))
    }

    #[inline(never)]
    pub fn touch(&self, how_long: Duration) {
        match self {
            SlowPages::Handled { page, delay_us } => {
                delay_us.store(how_long.as_micros() as u64, Ordering::SeqCst);
                // SAFETY: the page is mapped; the read faults, and the handler fills it in.
                blocks!(Cause::PageFault, unsafe { (*page as *const u8).read_volatile() });
            }
            SlowPages::File(file) => touch_file(file, how_long),
        }
    }

    /// Makes the next touch slow again. Outside of the block.
    pub fn reset(&self) {
        match self {
            // SAFETY: the page is a private anonymous mapping of its own.
            SlowPages::Handled { page, .. } => unsafe {
                libc::madvise(*page as *mut libc::c_void, PAGE, libc::MADV_DONTNEED);
            },
            // SAFETY: a plain system call on an open file.
            SlowPages::File(file) => unsafe {
                libc::posix_fadvise(file.as_raw_fd(), 0, 0, libc::POSIX_FADV_DONTNEED);
            },
        }
    }
}

fn map(fd: libc::c_int, pages: usize) -> Option<usize> {
    let sharing = if fd < 0 { libc::MAP_PRIVATE | libc::MAP_ANONYMOUS } else { libc::MAP_SHARED };
    // SAFETY: a new mapping anywhere; the result is checked.
    let map =
        unsafe { libc::mmap(std::ptr::null_mut(), pages * PAGE, libc::PROT_READ, sharing, fd, 0) };
    (map != libc::MAP_FAILED).then_some(map as usize)
}

fn handled() -> Option<SlowPages> {
    let page = map(-1, 1)?;
    // SAFETY: plain system calls; the structures are those of the kernel's header.
    let uffd = unsafe {
        let fd = libc::syscall(libc::SYS_userfaultfd, libc::O_CLOEXEC | UFFD_USER_MODE_ONLY);
        let fd = libc::c_int::try_from(fd).ok().filter(|&fd| fd >= 0)?;
        let uffd = File::from_raw_fd(fd);
        let mut api = [UFFD_API, 0, 0];
        let mut register = [page as u64, PAGE as u64, UFFDIO_REGISTER_MODE_MISSING, 0];
        if libc::ioctl(fd, UFFDIO_API, api.as_mut_ptr()) != 0
            || libc::ioctl(fd, UFFDIO_REGISTER, register.as_mut_ptr()) != 0
        {
            return None;
        }
        uffd
    };
    let delay_us = Arc::new(AtomicU64::new(0));
    let asked = delay_us.clone();
    spawn_thread("pager", move || answer_faults(&uffd, page, &asked));
    Some(SlowPages::Handled { page, delay_us })
}

fn answer_faults(uffd: &File, page: usize, delay_us: &AtomicU64) {
    let mut message = [0u8; UFFD_MSG_BYTES];
    // SAFETY: the buffer is as long as said, and the ioctl's structure is the kernel header's.
    unsafe {
        while libc::read(uffd.as_raw_fd(), message.as_mut_ptr().cast(), message.len()) > 0 {
            std::thread::sleep(Duration::from_micros(delay_us.load(Ordering::SeqCst)));
            let mut zero = [page as u64, PAGE as u64, 0, 0];
            libc::ioctl(uffd.as_raw_fd(), UFFDIO_ZEROPAGE, zero.as_mut_ptr());
        }
    }
}

fn big_file() -> File {
    let mut file = scratch_file(0);
    let page = [1u8; PAGE];
    for _ in 0..FILE_PAGES {
        file.write_all(&page).expect("cannot write the scratch file");
    }
    file.sync_all().expect("cannot sync the scratch file");
    file
}

#[inline(never)]
fn touch_file(file: &File, how_long: Duration) {
    let start = Instant::now();
    let Some(pages) = map(file.as_raw_fd(), FILE_PAGES) else { return };
    // SAFETY: reads stay inside the mapping just made, which is gone afterwards.
    unsafe {
        libc::madvise(pages as *mut libc::c_void, FILE_PAGES * PAGE, libc::MADV_RANDOM);
        blocks!(
            Cause::PageFault,
            for index in 0..FILE_PAGES {
                if start.elapsed() >= how_long {
                    break;
                }
                ((pages + index * PAGE) as *const u8).read_volatile();
            }
        );
        libc::munmap(pages as *mut libc::c_void, FILE_PAGES * PAGE);
    }
}
