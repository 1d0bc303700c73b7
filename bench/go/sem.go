//go:build !nomodules

package main

import (
	"context"

	"golang.org/x/sync/semaphore"
)

var semRows = []row{
	{name: "sem", unit: "ns", size: 10_000_000, run: semAlone},
	{name: "sem8", unit: "ns", size: 1_000_000, run: sem8},
}

const (
	permits = 4
	weight  = 3 // more than half, so that it excludes, and count shows it
)

func semN(b *bench, tasks int) {
	sem := semaphore.NewWeighted(permits)
	ctx := context.Background()
	each, count := b.size/int64(tasks), int64(0)
	b.start()
	together(tasks, func(int) {
		for range each {
			if sem.Acquire(ctx, weight) != nil {
				panic("acquire")
			}
			count++
			sem.Release(weight)
		}
	})
	b.stop()
	b.check("count", count, each*int64(tasks))
	b.report(count)
}

func semAlone(b *bench) { semN(b, 1) }
func sem8(b *bench)     { semN(b, 8) }
