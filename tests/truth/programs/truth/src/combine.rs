// SPDX-License-Identifier: MIT OR Apache-2.0
//! Small futures that other crates are used for elsewhere.

use std::future::Future;
use std::pin::Pin;
use std::task::{Context, Poll};

/// Wakes itself and yields once: polled again as soon as the executor gets to it.
pub fn polled_again() -> impl Future<Output = ()> + Send {
    let mut is_second = false;
    std::future::poll_fn(move |context| {
        if std::mem::replace(&mut is_second, true) {
            return Poll::Ready(());
        }
        context.waker().wake_by_ref();
        Poll::Pending
    })
}

type Child = Pin<Box<dyn Future<Output = ()> + Send>>;

fn poll_all(children: &mut Vec<Child>, context: &mut Context<'_>) {
    children.retain_mut(|child| child.as_mut().poll(context).is_pending());
}

/// All children inside one task, as `join!` and `FuturesUnordered` do.
pub fn join(mut children: Vec<Child>) -> impl Future<Output = ()> + Send {
    std::future::poll_fn(move |context| {
        poll_all(&mut children, context);
        if children.is_empty() {
            Poll::Ready(())
        } else {
            Poll::Pending
        }
    })
}

/// The first child to be ready ends it, as with `select!`.
pub fn select(mut children: Vec<Child>) -> impl Future<Output = ()> + Send {
    let all = children.len();
    std::future::poll_fn(move |context| {
        poll_all(&mut children, context);
        if children.len() < all {
            Poll::Ready(())
        } else {
            Poll::Pending
        }
    })
}
