package main

import "math"

var patternRows = []row{
	{name: "pool", unit: "ns", size: 2_000_000, run: pool},
	{name: "pipeline", unit: "ns", size: 1_000_000, run: pipeline},
	{name: "chain", unit: "ns", size: 4_000_000, run: chain},
	{name: "sieve", unit: "ms", size: 2_000, cold: true, run: sieve},
}

// The page's worker pool: 3 workers, two channels of 100, no sleep.
func poolWorker(jobs <-chan int64, results chan<- int64) {
	for job := range jobs {
		results <- job * 2
	}
}

func pool(b *bench) {
	jobs, results := make(chan int64, 100), make(chan int64, 100)
	b.start()
	for range 3 {
		go poolWorker(jobs, results)
	}
	go func() {
		produce(jobs, 0, b.size)
		close(jobs)
	}()
	sum := int64(0)
	for range b.size {
		sum += <-results
	}
	b.stop()
	b.check("sum", sum, b.size*(b.size-1))
	b.report(b.size)
}

// The page's pipeline: generate, square, consume, unbuffered.
func generate(n int64) <-chan int64 {
	out := make(chan int64)
	go func() {
		produce(out, 0, n)
		close(out)
	}()
	return out
}

func square(in <-chan int64) <-chan int64 {
	out := make(chan int64)
	go func() {
		for v := range in {
			out <- v * v
		}
		close(out)
	}()
	return out
}

func pipeline(b *bench) {
	sum, want := uint64(0), uint64(0)
	b.start()
	for v := range square(generate(b.size)) {
		sum += uint64(v)
	}
	b.stop()
	for v := range uint64(b.size) {
		want += v * v
	}
	b.check("sum", int64(sum), int64(want))
	b.report(b.size)
}

// 100 stages, each of which adds one; a hop is a message from stage to stage.
func stage(in <-chan int64) <-chan int64 {
	out := make(chan int64)
	go func() {
		for v := range in {
			out <- v + 1
		}
		close(out)
	}()
	return out
}

func chain(b *bench) {
	const stages = 100
	items := max(b.size/stages, 1)
	sum := int64(0)
	b.start()
	c := generate(items)
	for range stages {
		c = stage(c)
	}
	for v := range c {
		sum += v
	}
	b.stop()
	b.check("sum", sum, items*(items-1)/2+stages*items)
	b.report(items * (stages + 1))
}

// The prime sieve: one filter a prime, unbuffered.
func filter(in <-chan int64, out chan<- int64, prime int64) {
	for {
		if v := <-in; v%prime != 0 {
			out <- v
		}
	}
}

func nthPrime(n int64) int64 {
	var primes []int64
next:
	for v := int64(2); ; v++ {
		for _, p := range primes {
			if v%p == 0 {
				continue next
			}
		}
		primes = append(primes, v)
		if int64(len(primes)) == n {
			return v
		}
	}
}

func sieve(b *bench) {
	// The work grows with the square of the number of primes.
	n := max(int64(float64(b.row.size)*math.Sqrt(b.scale)), 16)
	prime := int64(0)
	b.start()
	c := make(chan int64)
	go produce(c, 2, math.MaxInt64)
	for range n {
		prime = <-c
		next := make(chan int64)
		go filter(c, next, prime)
		c = next
	}
	b.stop()
	b.check("prime", prime, nthPrime(n))
	b.report(n)
}
