package main

import "math"

const workSteps = 560

// About a microsecond; never 0.  As bench_work in lib/work.c.
func work(x uint64) uint64 {
	x |= 1
	for range workSteps {
		x ^= x << 13
		x ^= x >> 7
		x ^= x << 17
	}
	return x
}

func workZero(x int64) int64 {
	if work(uint64(x)) == 0 {
		return 1
	}
	return 0
}

const (
	skewWorkers = 8
	skewWindow  = 64
)

func uniform(i uint64) float64 {
	z := (i + 1) * 0x9e3779b97f4a7c15
	z = (z ^ z>>30) * 0xbf58476d1ce4e5b9
	z = (z ^ z>>27) * 0x94d049bb133111eb
	z ^= z >> 31
	return float64((z>>11)+1) / 9007199254740992.0
}

// As bench_skew_ns and bench_skew_ideal_ns in lib/work.c.
func skewNs(i int64) int64 {
	return int64(1e6 * math.Pow(uniform(uint64(i)), -1/1.2))
}

func skewIdealNs(n, window int64) int64 {
	var freeAt [skewWorkers]int64
	var doneUpTo [skewWindow]int64
	last := int64(0)
	for i := range n {
		w := &freeAt[0]
		for k := range freeAt {
			if freeAt[k] < *w {
				w = &freeAt[k]
			}
		}
		*w += skewNs(i)
		last = max(last, *w)
		if window == 0 {
			continue
		}
		if i >= window {
			*w = max(*w, doneUpTo[i%window])
		}
		doneUpTo[i%window] = last
	}
	return last
}

func (b *bench) reportSkew() {
	b.report(b.size)
	wall := float64(b.wall.Nanoseconds())
	b.metric(".ideal", wall/float64(skewIdealNs(b.size, 0)), "ratio", b.size)
	b.metric(".window", wall/float64(skewIdealNs(b.size, skewWindow)), "ratio", b.size)
}
