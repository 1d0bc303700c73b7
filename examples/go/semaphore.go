// Semaphore: ten downloads, of which at most three run at once.
package main

import (
	"fmt"
	"sync"
	"time"
)

var slots = make(chan struct{}, 3)
var lock sync.Mutex
var running, most, done int // under lock

func count(begun, ended int) {
	lock.Lock()
	defer lock.Unlock()
	running += begun - ended
	done += ended
	most = max(most, running)
}

func download(id int) {
	slots <- struct{}{}
	defer func() { <-slots }()
	count(1, 0)
	fmt.Printf("downloading %d\n", id)
	time.Sleep(20 * time.Millisecond) // Simulate work
	count(0, 1)
}

func main() {
	var group sync.WaitGroup
	for id := 1; id <= 10; id++ {
		group.Add(1)
		go func() {
			defer group.Done()
			download(id)
		}()
	}
	group.Wait()
	fmt.Printf("%d done, at most %d at once\n", done, most)
}
