// Package goldentest compares what a training run leaves with the runs recorded from the reference implementation,
// which package fixture has.
package goldentest
