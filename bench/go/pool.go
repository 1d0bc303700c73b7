package main

import (
	"fmt"
	"os"
	"sync"
	"time"
)

// Pools and pipelines as the page has them; those of libraries are in modules.go.
var poolRows = []row{
	{name: "pool-empty", unit: "ns", size: 2_000_000, run: func(b *bench) { poolEmpty(b, 3) }},
	{name: "pool-10000", unit: "ns", size: 2_000_000, run: func(b *bench) { poolEmpty(b, 10_000) }},
	{name: "pool-1us", unit: "ns", size: 500_000, run: pool1us},
	{name: "pool-queued", unit: "ns", size: 1_000_000, cold: true, run: poolQueued},
	{name: "pipeline-object@go-buffered", unit: "ns", size: 1_000_000, run: pipelineBuffered},
	{name: "pipeline-parallel", unit: "ns", size: 1_000_000, run: pipelineParallel},
	{name: "parallel-1us", unit: "ns", size: 500_000, run: parallel1us},
	{name: "skew-parallel", unit: "ms", size: 1_000, cold: true, run: skewParallel},
}

// The page's pool without results.
func poolOf(b *bench, workers int, job func(int64) int64) {
	jobs := make(chan int64, 100)
	done, odd := make([]int64, workers), make([]int64, workers)
	var wg sync.WaitGroup
	b.start()
	for w := range workers {
		wg.Add(1)
		go func() {
			defer wg.Done()
			n, x := int64(0), int64(0)
			for v := range jobs {
				x += job(v)
				n++
			}
			done[w], odd[w] = n, x
		}()
	}
	produce(jobs, 0, b.size)
	close(jobs)
	wg.Wait()
	b.stop()
	sum := int64(0)
	for w := range workers {
		sum += done[w] + odd[w]
	}
	b.check("jobs done", sum, b.size)
	b.report(b.size)
}

func poolEmpty(b *bench, workers int) { poolOf(b, workers, func(int64) int64 { return 0 }) }

func pool1us(b *bench) { poolOf(b, 3, workZero) }

// A goroutine a job, as errgroup with a limit or a semaphore has it.
func poolQueued(b *bench) {
	before := memory()
	gate := make(chan struct{})
	var wg sync.WaitGroup
	done := int64(0)
	slots := make(chan struct{}, 3)
	b.start()
	wg.Add(int(b.size))
	for i := range b.size {
		go func(job int64) {
			<-gate
			slots <- struct{}{}
			<-slots
			wg.Done()
		}(i)
		done++
	}
	b.metric(".bytes", float64(memory()-before)/float64(b.size)-8, "bytes", b.size)
	close(gate)
	wg.Wait()
	b.stop()
	b.check("jobs done", done, b.size)
	b.report(b.size)
}

func generateBuffered(n int64) <-chan int64 {
	out := make(chan int64, 256)
	go func() {
		produce(out, 0, n)
		close(out)
	}()
	return out
}

// n workers from in to a channel of 256.
func stageOf(n int, in <-chan int64, fn func(int64) int64) <-chan int64 {
	out := make(chan int64, 256)
	var wg sync.WaitGroup
	for range n {
		wg.Add(1)
		go func() {
			defer wg.Done()
			for v := range in {
				out <- fn(v)
			}
		}()
	}
	go func() {
		wg.Wait()
		close(out)
	}()
	return out
}

func stages(b *bench, n int, fn func(int64) int64) int64 {
	sum := int64(0)
	b.start()
	for v := range stageOf(n, generateBuffered(b.size), fn) {
		sum += v
	}
	b.stop()
	return sum
}

func squares(b *bench, n int) {
	sum, want := stages(b, n, func(v int64) int64 { return v * v }), int64(0)
	for v := range b.size {
		want += v * v
	}
	b.check("sum", sum, want)
	b.report(b.size)
}

func pipelineBuffered(b *bench) { squares(b, 1) }

func pipelineParallel(b *bench) { squares(b, 8) }

func parallel1us(b *bench) {
	b.check("sum", stages(b, 8, func(v int64) int64 { return v + workZero(v) }), b.size*(b.size-1)/2)
	b.report(b.size)
}

func sleepSkewed(v int64) int64 {
	time.Sleep(time.Duration(skewNs(v)))
	return v
}

func skewParallel(b *bench) {
	b.check("sum", stages(b, skewWorkers, sleepSkewed), b.size*(b.size-1)/2)
	b.reportSkew()
}

// For rows whose results must come in order.
type inOrder struct{ last, sum int64 }

func (o *inOrder) next(v int64) {
	if v != o.last+1 {
		fmt.Fprintf(os.Stderr, "%d comes after %d\n", v, o.last)
		os.Exit(1)
	}
	o.last = v
	o.sum += v
}
