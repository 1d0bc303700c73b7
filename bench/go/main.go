// The rows of bench/ in Go: the natural idiom for each, with the standard
// library, golang.org/x/sync, conc and ants.  Interface and rows: bench/README.md.
package main

import (
	"fmt"
	"os"
	"runtime"
	"strconv"
)

var groups = [][]row{
	spawnRows, fibRows, chanRows, patternRows, poolRows, moduleRows, selectRows, syncRows, semRows,
	limitRows,
	parkedRows, timerRows,
}

func usage() {
	fmt.Fprintln(os.Stderr, "usage: bench-go --list | ROW [WORKERS [SCALE]]")
	os.Exit(2)
}

func find(name string) *row {
	for _, group := range groups {
		for i := range group {
			if group[i].name == name {
				return &group[i]
			}
		}
	}
	return nil
}

func main() {
	if len(os.Args) < 2 || len(os.Args) > 4 {
		usage()
	}
	if os.Args[1] == "--list" {
		for _, group := range groups {
			for i := range group {
				fmt.Println(group[i].name)
			}
		}
		return
	}
	workers, scale := runtime.NumCPU(), 1.0
	var err1, err2 error
	if len(os.Args) > 2 {
		workers, err1 = strconv.Atoi(os.Args[2])
	}
	if len(os.Args) > 3 {
		scale, err2 = strconv.ParseFloat(os.Args[3], 64)
	}
	r := find(os.Args[1])
	if r == nil {
		fmt.Fprintf(os.Stderr, "bench-go: no row %s\n", os.Args[1])
		os.Exit(3)
	}
	if err1 != nil || err2 != nil || workers < 1 || scale <= 0 || scale > 100 {
		usage()
	}
	runRow(r, workers, scale)
}
