// Package goldentest compares what the program leaves with numbers recorded from the reference implementation: in $BFPO_SHARED, else in
// the folder shared beside the repository. Tests are skipped where neither is at hand.
package goldentest
