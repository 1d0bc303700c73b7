package main

import (
	"runtime"
	"sync"
)

var spawnRows = []row{
	{name: "spawn", unit: "ns", size: 1_000_000, run: spawn},
	{name: "skynet-join", unit: "ms", size: 1_000_000, run: skynetJoin},
	{name: "skynet-chan", unit: "ms", size: 1_000_000, run: skynetChan},
	{name: "yield", unit: "ns", size: 5_000_000, run: yield},
}

func spawn(b *bench) {
	var wg sync.WaitGroup
	b.start()
	for range b.size {
		wg.Add(1)
		go wg.Done()
	}
	wg.Wait()
	b.stop()
	b.report(b.size)
}

// leaves is the greatest power of ten up to size.
func (b *bench) leaves() int64 {
	n := int64(1)
	for n*10 <= b.size {
		n *= 10
	}
	return n
}

func joinNode(sum *int64, num, size int64) {
	if size == 1 {
		*sum = num
		return
	}
	var wg sync.WaitGroup
	var parts [10]int64
	for i := range parts[:9] {
		wg.Add(1)
		go func() {
			joinNode(&parts[i], num+int64(i)*(size/10), size/10)
			wg.Done()
		}()
	}
	joinNode(&parts[9], num+9*(size/10), size/10)
	wg.Wait()
	for _, part := range parts {
		*sum += part
	}
}

func skynetJoin(b *bench) {
	n, sum := b.leaves(), int64(0)
	b.start()
	joinNode(&sum, 0, n)
	b.stop()
	b.check("sum", sum, n*(n-1)/2)
	b.report(n)
}

func chanNode(out chan<- int64, num, size int64) {
	if size == 1 {
		out <- num
		return
	}
	in := make(chan int64)
	for i := range int64(10) {
		go chanNode(in, num+i*(size/10), size/10)
	}
	sum := int64(0)
	for range 10 {
		sum += <-in
	}
	out <- sum
}

func skynetChan(b *bench) {
	n, out := b.leaves(), make(chan int64)
	b.start()
	go chanNode(out, 0, n)
	sum := <-out
	b.stop()
	b.check("sum", sum, n*(n-1)/2)
	b.report(n)
}

func yield(b *bench) {
	const tasks = 2
	var wg sync.WaitGroup
	var turns [tasks]int64
	b.start()
	for i := range tasks {
		wg.Add(1)
		go func() {
			for range b.size / tasks {
				runtime.Gosched()
				turns[i]++
			}
			wg.Done()
		}()
	}
	wg.Wait()
	b.stop()
	b.check("turns", turns[0]+turns[1], b.size/tasks*tasks)
	b.report(b.size / tasks * tasks)
}
