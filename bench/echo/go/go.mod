module leat-bench-echo

go 1.26.0
