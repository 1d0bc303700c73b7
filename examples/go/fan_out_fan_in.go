// Fan-out, fan-in: one source, two workers in parallel, one merged result.
package main

import (
	"fmt"
	"sync"
)

// Input: a single source
func source(count int) <-chan int {
	out := make(chan int)
	go func() {
		for i := 1; i <= count; i++ {
			out <- i
		}
		close(out)
	}()
	return out
}

// A worker: takes from the source whatever the other has not taken
func worker(id int, in <-chan int, out chan<- int) {
	for n := range in {
		fmt.Printf("worker %d squares %d\n", id, n)
		out <- n * n
	}
}

// Merger: what the workers produce, closed when all of them are done
func merge(workers int, in <-chan int) <-chan int {
	out := make(chan int)
	var group sync.WaitGroup
	for w := 1; w <= workers; w++ {
		group.Add(1)
		go func() {
			defer group.Done()
			worker(w, in, out)
		}()
	}
	go func() {
		group.Wait()
		close(out)
	}()
	return out
}

func main() {
	sum := 0
	for n := range merge(2, source(10)) {
		sum += n
	}
	fmt.Println("sum of the squares:", sum) // 385
}
