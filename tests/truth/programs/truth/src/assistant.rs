// SPDX-License-Identifier: MIT OR Apache-2.0
//! A plain thread that ends somebody's wait: it sleeps as long as asked, then does one thing.

use std::sync::mpsc::{channel, Receiver, Sender};
use std::time::Duration;

use crate::control::spawn_thread;

pub struct Assistant {
    requests: Sender<Duration>,
}

impl Assistant {
    /// `act` runs after each requested delay.
    pub fn new(mut act: impl FnMut() + Send + 'static) -> Assistant {
        Assistant::with_inbox(move |inbox| {
            for delay in inbox {
                std::thread::sleep(delay);
                act();
            }
        })
    }

    pub fn with_inbox(body: impl FnOnce(Receiver<Duration>) + Send + 'static) -> Assistant {
        let (requests, inbox) = channel();
        spawn_thread("assistant", move || body(inbox));
        Assistant { requests }
    }

    pub fn act_after(&self, delay: Duration) {
        // The thread lives as long as this sender does.
        let _ = self.requests.send(delay);
    }
}
