package main

import "sync"

var chanRows = []row{
	{name: "pingpong", unit: "ns", size: 2_000_000, run: pingpong},
	{name: "spsc", unit: "ns", size: 5_000_000, run: spsc},
	{name: "mpmc", unit: "ns", size: 5_000_000, run: mpmc},
}

func pingpong(b *bench) {
	ping, pong := make(chan int64), make(chan int64)
	rounds := b.size / 2
	b.start()
	go func() {
		for v := range ping {
			pong <- v + 1
		}
	}()
	v := int64(0)
	for range rounds {
		ping <- v
		v = <-pong
	}
	close(ping)
	b.stop()
	b.check("count", v, rounds)
	b.report(2 * rounds)
}

func produce(c chan<- int64, from, to int64) {
	for v := from; v < to; v++ {
		c <- v
	}
}

func spsc(b *bench) {
	c := make(chan int64, 100)
	b.start()
	go func() {
		produce(c, 0, b.size)
		close(c)
	}()
	sum := int64(0)
	for v := range c {
		sum += v
	}
	b.stop()
	b.check("sum", sum, b.size*(b.size-1)/2)
	b.report(b.size)
}

func mpmc(b *bench) {
	const producers, consumers = 4, 4
	c := make(chan int64, 100)
	n := b.size / producers
	var sending, receiving sync.WaitGroup
	var sums [consumers]int64
	b.start()
	for i := range int64(producers) {
		sending.Add(1)
		go func() {
			produce(c, i*n, (i+1)*n)
			sending.Done()
		}()
	}
	for i := range consumers {
		receiving.Add(1)
		go func() {
			sum := int64(0)
			for v := range c {
				sum += v
			}
			sums[i] = sum
			receiving.Done()
		}()
	}
	sending.Wait()
	close(c)
	receiving.Wait()
	b.stop()
	n *= producers
	b.check("sum", sums[0]+sums[1]+sums[2]+sums[3], n*(n-1)/2)
	b.report(n)
}
