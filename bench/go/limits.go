//go:build !nomodules

package main

import "golang.org/x/time/rate"

var limitRows = []row{
	{name: "bucket", unit: "ns", size: 10_000_000, run: bucketAlone},
}

// So many tokens that none is ever missed.
func bucketAlone(b *bench) {
	limiter := rate.NewLimiter(1e9, 1e9)
	taken := int64(0)
	b.start()
	for range b.size {
		if limiter.Allow() {
			taken++
		}
	}
	b.stop()
	b.check("taken", taken, b.size)
	b.report(b.size)
}
