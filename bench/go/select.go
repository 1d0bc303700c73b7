package main

var selectRows = []row{
	{name: "select2", unit: "ns", size: 1_000_000, run: select2},
	{name: "select8", unit: "ns", size: 1_000_000, run: select8},
}

// One sender a channel, unbuffered, and one task that selects over all.
func senders(n int, size int64) []chan int64 {
	chans := make([]chan int64, n)
	for i := range chans {
		chans[i] = make(chan int64)
		go produce(chans[i], 0, size/int64(n))
	}
	return chans
}

func (b *bench) selected(n, sum int64) {
	each := b.size / n
	b.check("sum", sum, n*each*(each-1)/2)
	b.report(n * each)
}

func select2(b *bench) {
	b.start()
	c := senders(2, b.size)
	sum := int64(0)
	for range b.size / 2 * 2 {
		select {
		case v := <-c[0]:
			sum += v
		case v := <-c[1]:
			sum += v
		}
	}
	b.stop()
	b.selected(2, sum)
}

func select8(b *bench) {
	b.start()
	c := senders(8, b.size)
	sum := int64(0)
	for range b.size / 8 * 8 {
		select {
		case v := <-c[0]:
			sum += v
		case v := <-c[1]:
			sum += v
		case v := <-c[2]:
			sum += v
		case v := <-c[3]:
			sum += v
		case v := <-c[4]:
			sum += v
		case v := <-c[5]:
			sum += v
		case v := <-c[6]:
			sum += v
		case v := <-c[7]:
			sum += v
		}
	}
	b.stop()
	b.selected(8, sum)
}
