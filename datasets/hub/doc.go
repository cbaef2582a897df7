// Package hub downloads repositories of models and data sets from a Hugging Face hub into the cache folder of the
// Python libraries, so that a download of either serves both.
//
// FromEnvironment makes a Hub from the variables that the Python libraries read; Hub.Snapshot makes the files of one
// revision present and returns their folder. The size and the hash of every file are checked, an interrupted download
// continues where it stopped, and without a network the cache serves. The package imports nothing of this module.
package hub
