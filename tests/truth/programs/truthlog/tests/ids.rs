// SPDX-License-Identifier: MIT OR Apache-2.0
//! The id a `JoinHandle` prints is the task's id (checked where Tokio can be asked: >= 1.40).

#[test]
fn a_handle_prints_the_id_of_its_task() {
    let runtime = tokio::runtime::Builder::new_multi_thread().worker_threads(2).build().unwrap();
    for _ in 0..100 {
        let handle = runtime.spawn(async { tokio::task::id().to_string() });
        let printed = format!("{handle:?}");
        let id = runtime.block_on(handle).unwrap();
        assert!(printed.contains(&format!("Id({id})")), "{printed} is not about {id}");
    }
}
