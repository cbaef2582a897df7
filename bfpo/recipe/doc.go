// Package recipe reads recipes: YAML files with the keys of alignment-handbook and TRL, resolved into a Config.
//
// Load lays the defaults, the recipe, the file that other_data_config names, and the -set flags over each other, and
// validates the result. It is strict: an unknown key, a key given twice, a value of the wrong type or out of range is
// a *usage.Error that names file, line and key. Keys that mean nothing here are listed in Config.Ignored, and active
// keys that are not supported are refused. A pipeline recipe has stages, each with a Config of its own. Config.YAML
// writes a Config as a recipe that loads to the same Config.
//
// The package opens no device and reads no data set.
package recipe
