package main

import (
	"fmt"
	"os"
	"runtime"
	"syscall"
	"time"
)

// A row of the table: what bench/lib/bench.h calls struct bench_row.
type row struct {
	name string
	unit string // of the row's value: ns (an operation) or ms (the whole)
	size int64  // at scale 1
	cold bool   // a warm-up run would change what is measured
	run  func(b *bench)
}

// One run of a row.
type bench struct {
	row     *row
	size    int64   // how much to do
	scale   float64 // size / row.size, for rows whose work is not linear
	workers int
	quiet   bool // the warm-up: print nothing

	wall0, cpu0 time.Duration
	wall, cpu   time.Duration
}

var epoch = time.Now()

func cpuTime() time.Duration {
	var ru syscall.Rusage
	syscall.Getrusage(syscall.RUSAGE_SELF, &ru)
	return time.Duration(ru.Utime.Nano() + ru.Stime.Nano())
}

func (b *bench) start() {
	b.cpu0 = cpuTime()
	b.wall0 = time.Since(epoch)
}

func (b *bench) stop() {
	b.wall = time.Since(epoch) - b.wall0
	b.cpu = cpuTime() - b.cpu0
}

// metric prints one line of the interface that bench/README.md describes.
func (b *bench) metric(suffix string, value float64, unit string, ops int64) {
	if b.quiet {
		return
	}
	fmt.Printf("%s%s %.4f %s %.6f %.6f %d\n", b.row.name, suffix, value, unit,
		b.cpu.Seconds(), b.wall.Seconds(), ops)
}

// report prints the row's line for the time between start and stop.
func (b *bench) report(ops int64) {
	if b.row.unit == "ms" {
		b.metric("", float64(b.wall.Nanoseconds())/1e6, "ms", ops)
	} else {
		b.metric("", float64(b.wall.Nanoseconds())/float64(ops), "ns", ops)
	}
}

func (b *bench) check(what string, got, want int64) {
	if got != want {
		fmt.Fprintf(os.Stderr, "%s: wrong %s: got %d, want %d\n", b.row.name, what, got, want)
		os.Exit(1)
	}
}

func (r *row) at(scale float64, workers int) *bench {
	size := max(int64(float64(r.size)*scale), 16)
	return &bench{row: r, size: size, scale: scale, workers: workers}
}

func runRow(r *row, workers int, scale float64) {
	runtime.GOMAXPROCS(workers)
	if !r.cold && os.Getenv("BENCH_NO_WARMUP") == "" {
		warm := r.at(scale/20, workers)
		warm.quiet = true
		r.run(warm)
	}
	r.run(r.at(scale, workers))
}
