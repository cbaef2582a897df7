// Package goldentest repeats training runs of the original code and compares the results.
//
// ReadRun reads a recorded run from package fixture. Run.Recipe and Run.RawRecipe write its configuration and its data
// as a recipe, for a test to train with. Run.Check compares the folder of that training with the recording, step by
// step, and the trained weights. Ledger checks single numbers and logs the worst deviation of each kind.
//
// The package is for tests: each function fails the test in place of an error.
package goldentest
