//! As lib/work.c.

use crate::harness::Bench;

const STEPS: usize = 560;
pub const SKEW_WORKERS: usize = 8;
pub const SKEW_WINDOW: usize = 64;

/// About a microsecond; never 0.
#[inline(never)]
fn work(mut x: u64) -> u64 {
    x |= 1;
    for _ in 0..STEPS {
        x ^= x << 13;
        x ^= x >> 7;
        x ^= x << 17;
    }
    x
}

pub fn work_zero(v: i64) -> i64 {
    (std::hint::black_box(work(v as u64)) == 0) as i64
}

fn uniform(i: u64) -> f64 {
    let mut z = (i + 1).wrapping_mul(0x9e3779b97f4a7c15);
    z = (z ^ z >> 30).wrapping_mul(0xbf58476d1ce4e5b9);
    z = (z ^ z >> 27).wrapping_mul(0x94d049bb133111eb);
    z ^= z >> 31;
    ((z >> 11) + 1) as f64 / 9007199254740992.0
}

pub fn skew_ns(i: i64) -> i64 {
    (1e6 * uniform(i as u64).powf(-1.0 / 1.2)) as i64
}

fn skew_ideal_ns(n: i64, window: usize) -> i64 {
    let mut free_at = [0i64; SKEW_WORKERS];
    let mut done_up_to = [0i64; SKEW_WINDOW];
    let mut last = 0;
    for i in 0..n {
        let w = free_at.iter_mut().min_by_key(|at| **at).expect("workers");
        *w += skew_ns(i);
        last = last.max(*w);
        if window > 0 {
            let place = i as usize % window;
            if i as usize >= window {
                *w = (*w).max(done_up_to[place]);
            }
            done_up_to[place] = last;
        }
    }
    last
}

pub fn report_skew(b: &Bench) {
    b.report(b.size);
    let wall = b.wall.as_nanos() as f64;
    b.metric(".ideal", wall / skew_ideal_ns(b.size, 0) as f64, "ratio", b.size);
    b.metric(".window", wall / skew_ideal_ns(b.size, SKEW_WINDOW) as f64, "ratio", b.size);
}
