//go:build nosem

package main

// Built where golang.org/x/sync cannot be had: the rows are missing.
var semRows []row
