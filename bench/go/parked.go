package main

import (
	"bufio"
	"fmt"
	"os"
	"sync"
	"sync/atomic"
	"time"
)

var parkedRows = []row{
	{name: "parked", unit: "ms", size: 1_000_000, cold: true, run: parked},
}

// memory is VmRSS + VmPTE in bytes.
func memory() int64 {
	f, err := os.Open("/proc/self/status")
	if err != nil {
		panic(err)
	}
	defer f.Close()
	sum := int64(0)
	for scan := bufio.NewScanner(f); scan.Scan(); {
		var kb int64
		if n, _ := fmt.Sscanf(scan.Text(), "VmRSS: %d kB", &kb); n == 1 {
			sum += kb
		}
		if n, _ := fmt.Sscanf(scan.Text(), "VmPTE: %d kB", &kb); n == 1 {
			sum += kb
		}
	}
	return sum * 1024
}

// All wait on one channel; closing it wakes them.
func parked(b *bench) {
	var wg sync.WaitGroup
	var ready, woken atomic.Int64
	c := make(chan int64)
	before := memory()
	b.start()
	for range b.size {
		wg.Add(1)
		go func() {
			ready.Add(1)
			if _, ok := <-c; !ok {
				woken.Add(1)
			}
			wg.Done()
		}()
	}
	for ready.Load() < b.size {
		time.Sleep(time.Millisecond)
	}
	b.stop()
	b.metric(".create", float64(b.wall.Nanoseconds())/1e6, "ms", b.size)
	b.metric(".bytes", float64(memory()-before)/float64(b.size), "bytes", b.size)
	b.start()
	close(c)
	wg.Wait()
	b.stop()
	b.check("tasks woken", woken.Load(), b.size)
	b.metric(".wake", float64(b.wall.Nanoseconds())/1e6, "ms", b.size)
}
