//go:build nomodules

package main

// Built where the modules cannot be had: their rows are missing.
var semRows, limitRows, moduleRows []row
