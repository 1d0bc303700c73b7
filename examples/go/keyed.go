// Rate limits by key: two requests at once for each client, and one a second from then on.
package main

import (
	"fmt"
	"math"
	"sync"
	"time"
)

const rate, burst, most = 1, 2, 3

type bucket struct {
	tokens float64
	at     time.Time
}

var lock sync.Mutex
var clients = map[string]*bucket{} // under lock

func (b *bucket) fill(now time.Time) {
	b.tokens = min(burst, b.tokens+rate*now.Sub(b.at).Seconds())
	b.at = now
}

// Makes room for one more client: a full bucket is as good as a new one
func forget(now time.Time) bool {
	for client, b := range clients {
		if b.fill(now); b.tokens == burst {
			delete(clients, client)
			return true
		}
	}
	return false
}

// A bucket that is not full, or was not when the client came last; nil: no room
func find(client string, now time.Time) *bucket {
	b := clients[client]
	if b == nil && (len(clients) < most || forget(now)) {
		b = &bucket{burst, now}
		clients[client] = b
	}
	return b
}

// What a request costs: 1, or 2 for a search
func handle(client string, cost float64) {
	now := time.Now()
	lock.Lock()
	defer lock.Unlock()
	b := find(client, now)
	if b == nil {
		fmt.Printf("%s: 503, too many clients\n", client)
		return
	}
	b.fill(now)
	if b.tokens < cost {
		fmt.Printf("%s: 429, come again in %.0f s\n", client, math.Ceil((cost-b.tokens)/rate))
		return
	}
	b.tokens -= cost
	fmt.Printf("%s: 200\n", client)
}

func main() {
	for range 3 {
		handle("ann", 1)
	}
	handle("bob", 1)
	handle("cat", 2)
	handle("cat", 2)
	handle("dan", 1) // The others are still using theirs

	time.Sleep(time.Second)
	handle("ann", 1)
	handle("dan", 1) // Bob's is full again, so it is not needed
}
