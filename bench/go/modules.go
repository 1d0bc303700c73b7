//go:build !nomodules

package main

import (
	"sync"
	"sync/atomic"

	"github.com/panjf2000/ants/v2"
	concpool "github.com/sourcegraph/conc/pool"
	"github.com/sourcegraph/conc/stream"
)

// A row of a library has its name behind an @.
var moduleRows = []row{
	{name: "pool-empty@ants", unit: "ns", size: 1_000_000, run: func(b *bench) { antsOf(b, 3, nothing) }},
	{name: "pool-10000@ants", unit: "ns", size: 1_000_000, run: func(b *bench) { antsOf(b, 10_000, nothing) }},
	{name: "pool-1us@ants", unit: "ns", size: 500_000, run: func(b *bench) { antsOf(b, 3, workZero) }},
	{name: "pool-empty@conc", unit: "ns", size: 1_000_000, run: func(b *bench) { concOf(b, 3, nothing) }},
	{name: "pool-10000@conc", unit: "ns", size: 1_000_000, run: func(b *bench) { concOf(b, 10_000, nothing) }},
	{name: "pool-1us@conc", unit: "ns", size: 500_000, run: func(b *bench) { concOf(b, 3, workZero) }},
	{name: "pipeline-ordered@conc", unit: "ns", size: 500_000, run: pipelineOrdered},
	{name: "ordered-1us@conc", unit: "ns", size: 500_000, run: ordered1us},
	{name: "skew-ordered@conc", unit: "ms", size: 1_000, cold: true, run: skewOrdered},
}

func nothing(int64) int64 { return 0 }

// ants has no results and no end of the jobs: a WaitGroup has, as in its own benchmarks.  Its pool
// of one function takes its argument by value, without a closure for each job.
func antsOf(b *bench, workers int, job func(int64) int64) {
	var wg sync.WaitGroup
	p, err := ants.NewPoolWithFuncGeneric(workers, func(v int64) {
		if job(v) != 0 {
			panic("work is 0")
		}
		wg.Done()
	})
	if err != nil {
		panic(err)
	}
	b.start()
	wg.Add(int(b.size))
	for i := range b.size {
		if p.Invoke(i) != nil {
			panic("invoke")
		}
	}
	wg.Wait()
	b.stop()
	p.Release()
	b.report(b.size)
}

func concOf(b *bench, workers int, job func(int64) int64) {
	var done atomic.Int64
	p := concpool.New().WithMaxGoroutines(workers)
	b.start()
	for i := range b.size {
		p.Go(func() { done.Add(1 + job(i)) })
	}
	p.Wait()
	b.stop()
	b.check("jobs done", done.Load(), b.size)
	b.report(b.size)
}

// A stream of 8: what it has of an ordered stage; its window is its 8 workers.
func ordered(b *bench, fn func(int64) int64, sink func(int64)) {
	s := stream.New().WithMaxGoroutines(8)
	b.start()
	for i := range b.size {
		s.Go(func() stream.Callback {
			v := fn(i)
			return func() { sink(v) }
		})
	}
	s.Wait()
	b.stop()
}

func pipelineOrdered(b *bench) {
	sum, want := int64(0), int64(0)
	ordered(b, func(v int64) int64 { return v * v }, func(v int64) { sum += v })
	for v := range b.size {
		want += v * v
	}
	b.check("sum", sum, want)
	b.report(b.size)
}

func ordered1us(b *bench) {
	o := inOrder{last: -1}
	ordered(b, func(v int64) int64 { return v + workZero(v) }, o.next)
	b.check("sum", o.sum, b.size*(b.size-1)/2)
	b.report(b.size)
}

func skewOrdered(b *bench) {
	o := inOrder{last: -1}
	ordered(b, sleepSkewed, o.next)
	b.check("sum", o.sum, b.size*(b.size-1)/2)
	b.reportSkew()
}
