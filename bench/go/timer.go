package main

import (
	"sync"
	"sync/atomic"
	"time"
)

var timerRows = []row{
	{name: "timers", unit: "ms", size: 1_000_000, cold: true, run: timers},
	{name: "sleepers", unit: "ms", size: 1_000_000, cold: true, run: sleepers},
}

const longest = 1000 * time.Millisecond

// delay is 1 to 1,000 ms, the same sequence in every program.
func delay(i int64) time.Duration {
	return time.Duration(1+uint64(i)*2654435761%1000) * time.Millisecond
}

// The last one is late by the time that all took beyond the longest delay.
func (b *bench) late(early, fired int64) {
	b.check("timers fired", fired, b.size)
	b.check("timers that fired early", early, 0)
	b.metric(".late", float64((b.wall-longest).Nanoseconds())/1e6, "ms", b.size)
	b.metric(".cpu", b.cpu.Seconds(), "s", b.size)
}

func timers(b *bench) {
	var wg sync.WaitGroup
	var early, fired atomic.Int64
	b.start()
	for i := range b.size {
		wg.Add(1)
		due := time.Now().Add(delay(i))
		time.AfterFunc(delay(i), func() {
			if time.Now().Before(due) {
				early.Add(1)
			}
			fired.Add(1)
			wg.Done()
		})
	}
	wg.Wait()
	b.stop()
	b.late(early.Load(), fired.Load())
}

func sleepers(b *bench) {
	var wg sync.WaitGroup
	var early, fired atomic.Int64
	b.start()
	for i := range b.size {
		wg.Add(1)
		go func() {
			due := time.Now().Add(delay(i))
			time.Sleep(delay(i))
			if time.Now().Before(due) {
				early.Add(1)
			}
			fired.Add(1)
			wg.Done()
		}()
	}
	wg.Wait()
	b.stop()
	b.late(early.Load(), fired.Load())
}
