//! The rows of bench/ with Tokio: mpsc channels and tasks, JoinSet (ROW@joinset), futures' buffered
//! streams; and with threads and crossbeam's channels (ROW@crossbeam).  Interface and rows:
//! bench/README.md.

mod harness;
mod work;

use std::future::Future;
use std::sync::atomic::{AtomicI64, Ordering::Relaxed};
use std::sync::Arc;
use std::time::Duration;

use futures::stream::{self, StreamExt};
use harness::{memory, Bench, Row};
use tokio::sync::{mpsc, Notify, Semaphore};
use tokio::task::{JoinHandle, JoinSet};
use work::{report_skew, skew_ns, work_zero, SKEW_WORKERS};

fn block_on<T>(b: &mut Bench, future: impl AsyncFnOnce(&mut Bench) -> T) -> T {
    let runtime = tokio::runtime::Builder::new_multi_thread()
        .worker_threads(b.workers)
        .enable_time()
        .build()
        .expect("a runtime");
    runtime.block_on(future(b))
}

/// Does main in a task, as the others do: the thread of block_on is none of the workers.
async fn in_task<T: Send + 'static>(main: impl Future<Output = T> + Send + 'static) -> T {
    tokio::spawn(main).await.expect("the task")
}

fn nothing(_: i64) -> i64 {
    0
}

// A pool of 3 tasks.  Tokio's channel has one receiver, so each has its own, and they take turns.
fn pool(b: &mut Bench, workers: usize, job: fn(i64) -> i64) {
    let n = b.size;
    let done = block_on(b, async |b| {
        b.start();
        let done = in_task(async move {
            let each = (100 / workers).max(1);
            let (mut senders, mut tasks) = (Vec::new(), Vec::<JoinHandle<i64>>::new());
            for _ in 0..workers {
                let (sender, mut receiver) = mpsc::channel(each);
                senders.push(sender);
                tasks.push(tokio::spawn(async move {
                    let mut done = 0;
                    while let Some(v) = receiver.recv().await {
                        done += 1 + job(v);
                    }
                    done
                }));
            }
            let mut next = 0;
            for i in 0..n {
                senders[next].send(i).await.expect("a receiver");
                next = if next + 1 == workers { 0 } else { next + 1 };
            }
            drop(senders);
            let mut done = 0;
            for task in tasks {
                done += task.await.expect("the task");
            }
            done
        })
        .await;
        b.stop();
        done
    });
    b.check("jobs done", done, n);
    b.report(n);
}

// A task for each job, at most so many at once.
fn pool_joinset(b: &mut Bench, workers: usize, job: fn(i64) -> i64) {
    let n = b.size;
    let done = block_on(b, async |b| {
        b.start();
        let done = in_task(async move {
            let mut set = JoinSet::new();
            let mut done = 0;
            for i in 0..n {
                if set.len() == workers {
                    done += set.join_next().await.expect("a task").expect("its end");
                }
                set.spawn(async move { 1 + job(i) });
            }
            while let Some(more) = set.join_next().await {
                done += more.expect("its end");
            }
            done
        })
        .await;
        b.stop();
        done
    });
    b.check("jobs done", done, n);
    b.report(n);
}

// Threads of their own; WORKERS counts nothing here.
fn pool_crossbeam(b: &mut Bench, job: fn(i64) -> i64) {
    let n = b.size;
    b.start();
    let (sender, receiver) = crossbeam_channel::bounded(100);
    let done: i64 = std::thread::scope(|scope| {
        let threads: Vec<_> = (0..3)
            .map(|_| {
                let receiver = receiver.clone();
                scope.spawn(move || receiver.iter().map(|v| 1 + job(v)).sum::<i64>())
            })
            .collect();
        for i in 0..n {
            sender.send(i).expect("a receiver");
        }
        drop(sender);
        threads.into_iter().map(|t| t.join().expect("the thread")).sum()
    });
    b.stop();
    b.check("jobs done", done, n);
    b.report(n);
}

// A task for each job, which waits for one of three permits.
fn pool_queued(b: &mut Bench) {
    let n = b.size;
    let before = memory();
    let (done, bytes) = block_on(b, async |b| {
        let done = Arc::new(AtomicI64::new(0));
        let permits = Arc::new(Semaphore::new(0));
        b.start();
        let mut tasks = Vec::with_capacity(n as usize);
        for i in 0..n {
            let (done, permits) = (done.clone(), permits.clone());
            tasks.push(tokio::spawn(async move {
                let _permit = permits.acquire().await.expect("a permit");
                done.fetch_add(1 + (i < 0) as i64, Relaxed);
            }));
        }
        let bytes = (memory() - before) as f64 / n as f64 - 8.0;
        permits.add_permits(3);
        for task in tasks {
            task.await.expect("the task");
        }
        b.stop();
        (done.load(Relaxed), bytes)
    });
    b.metric(".bytes", bytes, "bytes", n);
    b.check("jobs done", done, n);
    b.report(n);
}

// Generate, square, sum; channels of cap.
fn pipeline(b: &mut Bench, cap: usize) {
    let n = b.size;
    let sum = block_on(b, async |b| {
        b.start();
        let sum = in_task(async move {
            let (numbers, mut generated) = mpsc::channel(cap);
            let (squares, mut squared) = mpsc::channel(cap);
            tokio::spawn(async move {
                for v in 0..n {
                    numbers.send(v).await.expect("a receiver");
                }
            });
            tokio::spawn(async move {
                while let Some(v) = generated.recv().await {
                    squares.send(v * v).await.expect("a receiver");
                }
            });
            let mut sum = 0i64;
            while let Some(v) = squared.recv().await {
                sum = sum.wrapping_add(v);
            }
            sum
        })
        .await;
        b.stop();
        sum
    });
    b.check("sum", sum, (0..n).fold(0, |sum: i64, v| sum.wrapping_add(v * v)));
    b.report(n);
}

#[derive(Clone, Copy, PartialEq)]
enum Order {
    Any,
    Kept,
}

// Items of a stream, each in a task, eight at once.
fn stage<F>(b: &mut Bench, order: Order, item: fn(i64) -> F) -> i64
where
    F: Future<Output = i64> + Send + 'static,
{
    let n = b.size;
    block_on(b, async |b| {
        b.start();
        let sum = in_task(async move {
            let items = stream::iter(0..n)
                .map(|v| async move { tokio::spawn(item(v)).await.expect("the task") });
            let (mut sum, mut last) = (0i64, -1i64);
            let mut add = |v: i64| {
                if order == Order::Kept {
                    assert!(v > last || last < 0, "{v} comes after {last}");
                    last = v;
                }
                sum = sum.wrapping_add(v);
            };
            if order == Order::Kept {
                let mut items = items.buffered(SKEW_WORKERS);
                while let Some(v) = items.next().await {
                    add(v);
                }
            } else {
                let mut items = items.buffer_unordered(SKEW_WORKERS);
                while let Some(v) = items.next().await {
                    add(v);
                }
            }
            sum
        })
        .await;
        b.stop();
        sum
    })
}

fn squares(b: &mut Bench, order: Order) {
    let sum = stage(b, order, |v| async move { v * v });
    b.check("sum", sum, (0..b.size).fold(0, |sum: i64, v| sum.wrapping_add(v * v)));
    b.report(b.size);
}

fn works(b: &mut Bench, order: Order) {
    let sum = stage(b, order, |v| async move { v + work_zero(v) });
    b.check("sum", sum, b.size * (b.size - 1) / 2);
    b.report(b.size);
}

fn skewed(b: &mut Bench, order: Order) {
    let sum = stage(b, order, |v| async move {
        tokio::time::sleep(Duration::from_nanos(skew_ns(v) as u64)).await;
        v
    });
    b.check("sum", sum, b.size * (b.size - 1) / 2);
    report_skew(b);
}

// Two tasks, two messages a round, as unbuffered as Tokio has it: channels of one.
fn pingpong(b: &mut Bench) {
    let n = b.size;
    let last = block_on(b, async |b| {
        b.start();
        let last = in_task(async move {
            let (ping, mut pinged) = mpsc::channel::<i64>(1);
            let (pong, mut ponged) = mpsc::channel::<i64>(1);
            tokio::spawn(async move {
                while let Some(v) = pinged.recv().await {
                    pong.send(v + 1).await.expect("a receiver");
                }
            });
            let mut v = 0;
            for _ in 0..n / 2 {
                ping.send(v).await.expect("a receiver");
                v = ponged.recv().await.expect("a sender");
            }
            v
        })
        .await;
        b.stop();
        last
    });
    b.check("last", last, n / 2);
    b.report(n);
}

fn spsc(b: &mut Bench) {
    let n = b.size;
    let sum = block_on(b, async |b| {
        b.start();
        let sum = in_task(async move {
            let (sender, mut receiver) = mpsc::channel::<i64>(100);
            tokio::spawn(async move {
                for v in 0..n {
                    sender.send(v).await.expect("a receiver");
                }
            });
            let mut sum = 0;
            while let Some(v) = receiver.recv().await {
                sum += v;
            }
            sum
        })
        .await;
        b.stop();
        sum
    });
    b.check("sum", sum, n * (n - 1) / 2);
    b.report(n);
}

fn spsc_crossbeam(b: &mut Bench) {
    let n = b.size;
    b.start();
    let (sender, receiver) = crossbeam_channel::bounded::<i64>(100);
    let sum: i64 = std::thread::scope(|scope| {
        scope.spawn(move || (0..n).for_each(|v| sender.send(v).expect("a receiver")));
        receiver.iter().sum()
    });
    b.stop();
    b.check("sum", sum, n * (n - 1) / 2);
    b.report(n);
}

fn spawn(b: &mut Bench) {
    let n = b.size;
    let done = block_on(b, async |b| {
        b.start();
        let done = in_task(async move {
            let left = Arc::new((AtomicI64::new(n), Notify::new()));
            for _ in 0..n {
                let left = left.clone();
                tokio::spawn(async move {
                    if left.0.fetch_sub(1, Relaxed) == 1 {
                        left.1.notify_one();
                    }
                });
            }
            left.1.notified().await;
            left.0.load(Relaxed)
        })
        .await;
        b.stop();
        done
    });
    b.check("tasks left", done, 0);
    b.report(n);
}

const fn ns(name: &'static str, size: i64, run: fn(&mut Bench)) -> Row {
    Row { name, unit: "ns", size, cold: false, run }
}

const fn ms(name: &'static str, size: i64, run: fn(&mut Bench)) -> Row {
    Row { name, unit: "ms", size, cold: true, run }
}

static ROWS: &[Row] = &[
    ns("spawn", 1_000_000, spawn),
    ns("pingpong", 1_000_000, pingpong),
    ns("spsc", 2_000_000, spsc),
    ns("spsc@crossbeam", 2_000_000, spsc_crossbeam),
    ns("pool-empty", 2_000_000, |b| pool(b, 3, nothing)),
    ns("pool-10000", 2_000_000, |b| pool(b, 10_000, nothing)),
    ns("pool-1us", 500_000, |b| pool(b, 3, work_zero)),
    ns("pool-empty@joinset", 1_000_000, |b| pool_joinset(b, 3, nothing)),
    ns("pool-10000@joinset", 1_000_000, |b| pool_joinset(b, 10_000, nothing)),
    ns("pool-1us@joinset", 500_000, |b| pool_joinset(b, 3, work_zero)),
    ns("pool-empty@crossbeam", 2_000_000, |b| pool_crossbeam(b, nothing)),
    ns("pool-1us@crossbeam", 500_000, |b| pool_crossbeam(b, work_zero)),
    Row { name: "pool-queued", unit: "ns", size: 1_000_000, cold: true, run: pool_queued },
    ns("pipeline", 1_000_000, |b| pipeline(b, 1)),
    ns("pipeline-object", 1_000_000, |b| pipeline(b, 256)),
    ns("pipeline-parallel", 500_000, |b| squares(b, Order::Any)),
    ns("pipeline-ordered", 500_000, |b| squares(b, Order::Kept)),
    ns("parallel-1us", 500_000, |b| works(b, Order::Any)),
    ns("ordered-1us", 500_000, |b| works(b, Order::Kept)),
    ms("skew-parallel", 1_000, |b| skewed(b, Order::Any)),
    ms("skew-ordered", 1_000, |b| skewed(b, Order::Kept)),
];

fn main() {
    harness::main(ROWS);
}
