package main

import "sync"

var syncRows = []row{
	{name: "mutex", unit: "ns", size: 20_000_000, run: mutexAlone},
	{name: "mutex8", unit: "ns", size: 8_000_000, run: mutex8},
}

// together runs fn(i) in n goroutines.
func together(n int, fn func(i int)) {
	var wg sync.WaitGroup
	for i := range n {
		wg.Add(1)
		go func() {
			fn(i)
			wg.Done()
		}()
	}
	wg.Wait()
}

func mutexN(b *bench, tasks int) {
	var mutex sync.Mutex
	each, count := b.size/int64(tasks), int64(0)
	b.start()
	together(tasks, func(int) {
		for range each {
			mutex.Lock()
			count++
			mutex.Unlock()
		}
	})
	b.stop()
	b.check("count", count, each*int64(tasks))
	b.report(count)
}

func mutexAlone(b *bench) { mutexN(b, 1) }
func mutex8(b *bench)     { mutexN(b, 8) }
