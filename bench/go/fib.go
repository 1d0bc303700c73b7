package main

import (
	"math"
	"sync"
)

var fibRows = []row{
	// 30, where leat does 35: the cost of a spawn is the same, and 35 takes 20 s.
	{name: "fib-group", unit: "ns", size: 30, run: fibGroup},
}

// fib(n) grows by the golden ratio with n.
func (b *bench) fibN() int {
	return max(int(float64(b.row.size)+math.Round(math.Log(b.scale)/math.Log(math.Phi))), 5)
}

func fib(n int) int64 {
	if n < 2 {
		return int64(n)
	}
	return fib(n-1) + fib(n-2)
}

func fibSpawn(sum *int64, n int) {
	if n < 2 {
		*sum = int64(n)
		return
	}
	var wg sync.WaitGroup
	var x, y int64
	wg.Add(1)
	go func() {
		fibSpawn(&x, n-1)
		wg.Done()
	}()
	fibSpawn(&y, n-2)
	wg.Wait()
	*sum = x + y
}

func fibGroup(b *bench) {
	n, sum := b.fibN(), int64(0)
	b.start()
	fibSpawn(&sum, n)
	b.stop()
	b.check("fib", sum, fib(n))
	// One spawn for each call with n >= 2.
	b.report(fib(n+1) - 1)
}
