// A deadline for each call, retries, and a breaker that is open for a second after three failures.
package main

import (
	"context"
	"errors"
	"fmt"
	"time"
)

type lookup struct {
	lost  int // So many calls get no answer
	calls int
}

var errOpen = errors.New("the breaker is open")
var failures, running int
var openUntil time.Time

// Has to look at ctx, or it goes on when its time is over
func callServer(ctx context.Context, l *lookup) error {
	running++
	defer func() { running-- }()
	if l.calls++; l.calls > l.lost {
		return nil
	}
	select {
	case <-time.After(time.Minute):
		return nil
	case <-ctx.Done():
		return ctx.Err()
	}
}

func callInTime(l *lookup) error {
	ctx, cancel := context.WithTimeout(context.Background(), 200*time.Millisecond)
	defer cancel()
	return callServer(ctx, l)
}

func call(l *lookup) error {
	if time.Now().Before(openUntil) {
		return errOpen
	}
	err := callInTime(l)
	if err == nil {
		failures = 0
	} else if failures++; failures >= 3 {
		openUntil = time.Now().Add(time.Second)
	}
	return err
}

func lookUp(name string, lost int) {
	l := &lookup{lost: lost}
	err := call(l)
	for pause := 10 * time.Millisecond; err == context.DeadlineExceeded && l.calls < 3; pause *= 2 {
		time.Sleep(pause)
		err = call(l)
	}
	said := "found"
	if err == errOpen {
		said = "left alone"
	} else if err != nil {
		said = "too late"
	}
	fmt.Printf("%s: %s, %d calls\n", name, said, l.calls)
}

func main() {
	lookUp("ann", 0)
	lookUp("bob", 1)
	lookUp("cat", 3)
	lookUp("dan", 0)

	time.Sleep(time.Second)
	lookUp("dan", 0)
	fmt.Printf("%d still running\n", running)
}
