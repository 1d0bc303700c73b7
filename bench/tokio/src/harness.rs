//! What lib/bench.c is to the programs in C: rows by name, timing, checks, the interface that
//! bench/README.md describes.

use std::time::{Duration, Instant};

pub struct Row {
    pub name: &'static str,
    pub unit: &'static str,
    pub size: i64,
    /// A warm-up run would change what is measured.
    pub cold: bool,
    pub run: fn(&mut Bench),
}

/// One run of a row.
pub struct Bench {
    row: &'static Row,
    pub size: i64,
    pub workers: usize,
    quiet: bool,
    start: Option<(Instant, Duration)>,
    pub wall: Duration,
    cpu: Duration,
}

fn cpu_time() -> Duration {
    // SAFETY: getrusage fills what it is given.
    let usage = unsafe {
        let mut usage: libc::rusage = std::mem::zeroed();
        libc::getrusage(libc::RUSAGE_SELF, &mut usage);
        usage
    };
    let of = |t: libc::timeval| {
        Duration::from_secs(t.tv_sec as u64) + Duration::from_micros(t.tv_usec as u64)
    };
    of(usage.ru_utime) + of(usage.ru_stime)
}

impl Bench {
    pub fn start(&mut self) {
        let cpu = cpu_time();
        self.start = Some((Instant::now(), cpu));
    }

    pub fn stop(&mut self) {
        let (wall, cpu) = self.start.expect("stop before start");
        self.wall = wall.elapsed();
        self.cpu = cpu_time() - cpu;
    }

    pub fn metric(&self, suffix: &str, value: f64, unit: &str, ops: i64) {
        if !self.quiet {
            println!(
                "{}{suffix} {value:.4} {unit} {:.6} {:.6} {ops}",
                self.row.name,
                self.cpu.as_secs_f64(),
                self.wall.as_secs_f64()
            );
        }
    }

    pub fn report(&self, ops: i64) {
        let ns = self.wall.as_nanos() as f64;
        match self.row.unit {
            "ms" => self.metric("", ns / 1e6, "ms", ops),
            _ => self.metric("", ns / ops as f64, "ns", ops),
        }
    }

    pub fn check(&self, what: &str, got: i64, want: i64) {
        if got != want {
            eprintln!("{}: wrong {what}: got {got}, want {want}", self.row.name);
            std::process::exit(1);
        }
    }
}

/// VmRSS + VmPTE in bytes.
pub fn memory() -> i64 {
    let text = std::fs::read_to_string("/proc/self/status").expect("/proc/self/status");
    let kb = |line: &str| -> i64 {
        line.split_whitespace().nth(1).and_then(|n| n.parse().ok()).expect("a number of kB")
    };
    let lines = text.lines();
    lines.filter(|l| l.starts_with("VmRSS:") || l.starts_with("VmPTE:")).map(kb).sum::<i64>() * 1024
}

fn run_at(row: &'static Row, workers: usize, scale: f64, quiet: bool) {
    let size = ((row.size as f64 * scale) as i64).max(16);
    let (wall, cpu) = Default::default();
    (row.run)(&mut Bench { row, size, workers, quiet, start: None, wall, cpu });
}

pub fn main(rows: &'static [Row]) {
    let args: Vec<String> = std::env::args().collect();
    let usage = || -> ! {
        eprintln!("usage: bench-tokio --list | ROW [WORKERS [SCALE]]");
        std::process::exit(2)
    };
    if args.len() == 2 && args[1] == "--list" {
        rows.iter().for_each(|row| println!("{}", row.name));
        return;
    }
    if args.len() < 2 || args.len() > 4 {
        usage();
    }
    let mut workers: usize = args.get(2).map_or(Ok(0), |n| n.parse()).unwrap_or_else(|_| usage());
    let scale: f64 = args.get(3).map_or(Ok(1.0), |n| n.parse()).unwrap_or_else(|_| usage());
    if workers > 1024 || !(scale > 0.0 && scale <= 100.0) {
        usage();
    }
    if workers == 0 {
        workers = std::thread::available_parallelism().map_or(1, |n| n.get());
    }
    let Some(row) = rows.iter().find(|row| row.name == args[1]) else {
        eprintln!("bench-tokio: no row {}", args[1]);
        std::process::exit(3)
    };
    if !row.cold && std::env::var_os("BENCH_NO_WARMUP").is_none() {
        run_at(row, workers, scale / 20.0, true);
    }
    run_at(row, workers, scale, false);
}
